-- Grain: one row per user, day and product, and one per user and day for all products (product '').
-- Rules: users are those in events, and those who placed an order (sessionized.buyers): its first event is theirs,
-- whoever it names. A repeat that names none is of the session's user. What is done in a bot's session, named by an
-- event of another's order, or only tells who somebody is (identify), counts nothing; its rows are kept with zeros, so that none disappears when late data change
-- whose it is. Orders count once, by their first event; a session counts on the day it starts. A product is known by its
-- id, without one by that of its unique name, else by the name: its row stays, with zeros, once the name tells the id.
WITH owned AS (
    SELECT
        events.event_id,
        coalesce(
            events.user_id, CASE WHEN events.event_name = 'purchase' THEN sessions.user_id END
        ) AS named_user,
        buyers.user_id AS buyer,
        events.event_date,
        events.event_at,
        events.event_name,
        events.source,
        NOT sessions.is_bot AND NOT is_about_people(events.event_name) AS counts
    FROM cleaned.events AS events
    INNER JOIN sessionized.session_events AS entries ON events.event_id = entries.event_id
    INNER JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    LEFT JOIN sessionized.purchases AS purchases ON events.event_id = purchases.event_id
    LEFT JOIN sessionized.buyers AS buyers ON purchases.order_id = buyers.order_id
    WHERE events.user_id IS NOT NULL OR events.event_name = 'purchase'  -- most events name nobody
),
claims AS (
    SELECT *, coalesce(buyer, named_user) AS user_id, counts AS is_counted
    FROM owned
    UNION ALL
    SELECT *, named_user, FALSE
    FROM owned
    WHERE named_user <> buyer
),
events AS (
    SELECT
        event_id,
        user_id,
        event_date,
        CASE WHEN is_counted THEN event_at END AS event_at,
        CASE WHEN is_counted THEN event_name END AS event_name,
        source
    FROM claims
    WHERE user_id IS NOT NULL
),
days AS (
    SELECT
        events.user_id,
        events.event_date,
        count(events.event_at) AS interactions,
        count(events.event_at) FILTER (WHERE events.source = 'web_logs') AS log_interactions,
        count(*) FILTER (WHERE events.event_name IN ('click', 'select_item')) AS clicks,
        count(*) FILTER (WHERE events.event_name = 'view_item') AS views,
        count(*) FILTER (WHERE events.event_name = 'add_to_cart') AS add_to_carts,
        count(purchases.event_id) AS orders,
        sum(purchases.revenue) AS revenue,
        count(purchases.event_id) FILTER (WHERE purchases.revenue IS NULL) AS unknown_amounts,
        min(events.event_at) AS first_at,
        max(events.event_at) AS last_at,
        max(CASE WHEN events.event_name = 'view_item' THEN events.event_at END) AS last_viewed_at
    FROM events
    LEFT JOIN sessionized.purchases AS purchases
        ON events.event_id = purchases.event_id AND events.event_at IS NOT NULL
    GROUP BY events.user_id, events.event_date
),
starts AS (
    SELECT user_id, session_date, count(*) AS sessions
    FROM sessionized.sessions
    WHERE user_id IS NOT NULL AND NOT is_bot
    GROUP BY user_id, session_date
),
touched AS (
    SELECT
        events.event_id,
        events.user_id,
        events.event_date,
        events.event_at,
        events.event_name,
        coalesce(items.product_id, names.product_id, items.product_name) AS product,
        min(items.product_name) AS product_name
    FROM events
    INNER JOIN cleaned.event_items AS items ON events.event_id = items.event_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
    WHERE coalesce(items.product_name, items.product_id) IS NOT NULL
    GROUP BY
        events.event_id,
        events.user_id,
        events.event_date,
        events.event_at,
        events.event_name,
        coalesce(items.product_id, names.product_id, items.product_name)
    UNION ALL
    SELECT DISTINCT
        events.event_id,
        events.user_id,
        events.event_date,
        NULL,
        NULL,
        items.product_name,
        items.product_name
    FROM events
    INNER JOIN cleaned.event_items AS items ON events.event_id = items.event_id
    INNER JOIN cleaned.product_names AS names ON items.product_name = names.product_name
    WHERE items.product_id IS NULL AND items.product_name <> names.product_id
),
products AS (
    SELECT
        touched.user_id,
        touched.event_date,
        touched.product,
        coalesce(max_by(touched.product_name, touched.event_at), max(touched.product_name)) AS product_name,
        count(touched.event_at) AS interactions,
        count(*) FILTER (WHERE touched.event_name IN ('click', 'select_item')) AS clicks,
        count(*) FILTER (WHERE touched.event_name = 'view_item') AS views,
        count(*) FILTER (WHERE touched.event_name = 'add_to_cart') AS add_to_carts,
        count(purchases.event_id) AS orders,
        min(touched.event_at) AS first_at,
        max(touched.event_at) AS last_at,
        max(CASE WHEN touched.event_name = 'view_item' THEN touched.event_at END) AS last_viewed_at
    FROM touched
    LEFT JOIN sessionized.purchases AS purchases
        ON touched.event_id = purchases.event_id AND touched.event_at IS NOT NULL
    GROUP BY touched.user_id, touched.event_date, touched.product
)
SELECT
    days.user_id,
    days.event_date,
    '' AS product,
    NULL AS product_name,
    days.interactions,
    days.log_interactions,
    coalesce(starts.sessions, 0) AS sessions,
    days.clicks,
    days.views,
    days.add_to_carts,
    days.orders,
    CAST(coalesce(days.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    days.first_at,
    days.last_at,
    days.last_viewed_at,
    days.unknown_amounts
FROM days
LEFT JOIN starts ON days.user_id = starts.user_id AND days.event_date = starts.session_date
UNION ALL
SELECT
    user_id,
    event_date,
    product,
    product_name,
    interactions,
    0 AS log_interactions,
    0 AS sessions,
    clicks,
    views,
    add_to_carts,
    orders,
    CAST(0 AS DECIMAL(18, 4)) AS revenue,
    first_at,
    last_at,
    last_viewed_at,
    0 AS unknown_amounts
FROM products
