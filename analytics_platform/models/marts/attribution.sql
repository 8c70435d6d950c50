-- Grain: one row per day of order, model and traffic source. Bots are left out.
-- Rules: touches of an order are the sessions of its person, on any device, that start no later than the order and at
-- most the look-back days before its day; and the session it was placed in, which is another person's where several
-- share a device. Erased persons have one key: there the client tells. Each model gives the whole order to one touch, so
-- credit sums to revenue exactly.
WITH visited AS (
    SELECT
        orders.event_id,
        sessions.session_id
    FROM star.fact_orders AS orders
    INNER JOIN star.fact_sessions AS sessions
        ON orders.person_key = sessions.person_key
        AND (orders.person_key <> -1 OR orders.client_id = sessions.client_id)
        AND sessions.started_at <= orders.ordered_at
        AND sessions.session_date >= orders.order_date - CAST($attribution_lookback_days AS INTEGER)
    UNION
    SELECT
        event_id,
        session_id
    FROM star.fact_orders
),
touches AS (
    SELECT
        orders.event_id,
        orders.order_date AS date,
        orders.revenue,
        sessions.channel,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        row_number() OVER (
            PARTITION BY orders.event_id ORDER BY sessions.started_at, sessions.session_id
        ) AS from_first,
        row_number() OVER (
            PARTITION BY orders.event_id ORDER BY sessions.started_at DESC, sessions.session_id DESC
        ) AS from_last,
        row_number() OVER (
            PARTITION BY orders.event_id
            ORDER BY sessions.channel = 'Direct', sessions.started_at DESC, sessions.session_id DESC
        ) AS from_last_non_direct
    FROM visited
    INNER JOIN star.fact_orders AS orders ON visited.event_id = orders.event_id
    INNER JOIN star.fact_sessions AS sessions ON visited.session_id = sessions.session_id
    WHERE NOT sessions.is_bot
),
credits AS (
    SELECT 'first_touch' AS model, date, channel, source, medium, campaign, revenue
    FROM touches
    WHERE from_first = 1
    UNION ALL
    SELECT 'last_touch' AS model, date, channel, source, medium, campaign, revenue
    FROM touches
    WHERE from_last = 1
    UNION ALL
    SELECT 'last_non_direct' AS model, date, channel, source, medium, campaign, revenue
    FROM touches
    WHERE from_last_non_direct = 1
)
SELECT
    date,
    model,
    channel,
    source,
    medium,
    campaign,
    count(*) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(18, 4)) AS revenue,
    count(*) - count(revenue) AS unknown_amounts
FROM credits
GROUP BY date, model, channel, source, medium, campaign
