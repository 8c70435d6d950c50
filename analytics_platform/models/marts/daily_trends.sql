-- Grain: one row per day. Bots are left out.
-- Rules: visitors are persons. Refunds count on the day they are given, whenever the order was.
WITH visits AS (
    SELECT
        session_date AS date,
        count(*) AS sessions,
        count(DISTINCT person_key) AS visitors,
        sum(events) AS events,
        sum(page_views) AS page_views,
        count(*) FILTER (WHERE is_bounce) AS bounces,
        count(*) FILTER (WHERE orders > 0) AS converted
    FROM star.fact_sessions
    WHERE NOT is_bot
    GROUP BY session_date
),
sales AS (
    SELECT
        order_date AS date,
        count(*) AS orders,
        count(revenue) AS valued,
        sum(revenue) AS revenue
    FROM star.fact_orders
    GROUP BY order_date
),
refunded AS (
    SELECT
        refund_date AS date,
        sum(amount) AS refunds,
        count(*) FILTER (WHERE amount IS NULL) AS unknown
    FROM star.fact_refunds
    GROUP BY refund_date
),
days AS (
    SELECT date FROM visits
    UNION
    SELECT date FROM sales
    UNION
    SELECT date FROM refunded
)
SELECT
    days.date,
    coalesce(visits.sessions, 0) AS sessions,
    coalesce(visits.visitors, 0) AS visitors,
    CAST(coalesce(visits.events, 0) AS BIGINT) AS events,
    CAST(coalesce(visits.page_views, 0) AS BIGINT) AS page_views,
    coalesce(visits.bounces, 0) AS bounces,
    CAST(visits.bounces AS DOUBLE) / visits.sessions AS bounce_rate,
    coalesce(sales.orders, 0) AS orders,
    CAST(coalesce(sales.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(refunded.refunds, 0) AS DECIMAL(18, 4)) AS refunds,
    CAST(coalesce(sales.revenue, 0) - coalesce(refunded.refunds, 0) AS DECIMAL(18, 4)) AS net_revenue,
    CAST(sales.revenue AS DOUBLE) / nullif(sales.valued, 0) AS average_order_value,
    CAST(visits.converted AS DOUBLE) / visits.sessions AS conversion_rate,
    coalesce(sales.orders - sales.valued, 0) AS unknown_amounts,
    coalesce(refunded.unknown, 0) AS unknown_refunds
FROM days
LEFT JOIN visits ON days.date = visits.date
LEFT JOIN sales ON days.date = sales.date
LEFT JOIN refunded ON days.date = refunded.date
