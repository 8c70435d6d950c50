-- Grain: one row per day, figure and table that says it again.
-- Rules: a day is compared for a figure if one of the tables has something of it on that day; nothing is 0. A reason
-- stands where the two differ by definition. Such a table is compared by a definition they share as well.
WITH pairs AS (
    SELECT *
    FROM (
        VALUES
        ('orders', 'star.fact_orders', 'marts.daily_trends', NULL),
        ('orders', 'star.fact_orders', 'marts.attribution, first_touch', NULL),
        ('orders', 'star.fact_orders', 'marts.attribution, last_touch', NULL),
        ('orders', 'star.fact_orders', 'marts.attribution, last_non_direct', NULL),
        ('orders', 'star.fact_orders', 'sessionized.customer_days', NULL),
        ('revenue', 'star.fact_orders', 'marts.daily_trends', NULL),
        ('revenue', 'star.fact_orders', 'marts.attribution, first_touch', NULL),
        ('revenue', 'star.fact_orders', 'marts.attribution, last_touch', NULL),
        ('revenue', 'star.fact_orders', 'marts.attribution, last_non_direct', NULL),
        ('revenue', 'star.fact_orders', 'sessionized.customer_days', NULL),
        ('revenue', 'star.fact_orders', 'star.fact_order_items, not itemized', NULL),
        ('revenue', 'star.fact_orders', 'marts.device_daily', 'a session counts on the day it starts'),
        ('revenue', 'star.fact_orders', 'marts.product_daily', 'some of it is of no product'),
        ('revenue of lines', 'star.fact_order_items', 'marts.product_daily, (no product)', NULL),
        ('revenue of lines', 'star.fact_order_items', 'sessionized.product_interactions', NULL),
        ('revenue of lines', 'star.fact_order_items', 'star.dim_product, variants below their product', NULL),
        ('revenue of sessions', 'star.fact_sessions', 'star.fact_orders', NULL),
        ('revenue of sessions', 'star.fact_sessions', 'marts.device_daily', NULL),
        ('sessions', 'star.fact_sessions', 'marts.daily_trends', NULL),
        ('sessions', 'star.fact_sessions', 'marts.device_daily', NULL),
        ('sessions, bots included', 'star.fact_sessions', 'sessionized.person_days', NULL),
        ('visitors', 'star.fact_sessions', 'marts.daily_trends', NULL),
        ('visitors', 'star.fact_sessions', 'sessionized.person_days', NULL),
        ('customers', 'star.fact_orders', 'sessionized.customer_days', NULL),
        ('sessions with an order', 'star.fact_sessions', 'marts.funnel_daily', NULL),
        ('refunds', 'star.fact_refunds', 'marts.daily_trends', NULL),
        ('refunds', 'star.fact_refunds', 'sessionized.customer_days', NULL)
    ) AS listed (name, left_table, right_table, reason)
),
measured AS (
    SELECT 'orders' AS name, 'star.fact_orders' AS table_name, order_date AS date, CAST(1 AS DECIMAL(18, 4)) AS value
    FROM star.fact_orders
    UNION ALL
    SELECT 'revenue', 'star.fact_orders', order_date, revenue
    FROM star.fact_orders
    UNION ALL
    SELECT 'revenue', 'star.fact_order_items, not itemized', order_date, not_itemized
    FROM star.fact_orders
    UNION ALL
    SELECT 'revenue', 'star.fact_order_items, not itemized', order_date, amount
    FROM star.fact_order_items
    UNION ALL
    SELECT 'revenue of lines', 'star.fact_order_items', order_date, amount
    FROM star.fact_order_items
    UNION ALL
    SELECT 'revenue of lines', 'marts.product_daily, (no product)', order_date, amount
    FROM star.fact_order_items
    WHERE product_id IS NULL
    UNION ALL
    SELECT
        unnest(['revenue of lines', 'revenue']),
        unnest(['marts.product_daily, (no product)', 'marts.product_daily']),
        date,
        revenue
    FROM marts.product_daily
    UNION ALL
    SELECT 'revenue of lines', 'sessionized.product_interactions', event_date, revenue
    FROM sessionized.product_interactions
    UNION ALL
    SELECT 'revenue of lines', 'star.dim_product, variants below their product', lines.order_date, lines.amount
    FROM star.fact_order_items AS lines
    INNER JOIN star.dim_product AS members
        ON lines.variant_key = members.product_key
        AND coalesce(lines.product_id, '(not set)') = members.product_id
    UNION ALL
    SELECT 'revenue of sessions', 'star.fact_orders', sessions.session_date, orders.revenue
    FROM star.fact_orders AS orders
    INNER JOIN star.fact_sessions AS sessions ON orders.session_id = sessions.session_id
    UNION ALL
    SELECT
        unnest(['sessions', 'sessions with an order', 'revenue of sessions']),
        'star.fact_sessions',
        session_date,
        unnest([1, CASE WHEN orders > 0 THEN 1 ELSE 0 END, revenue])
    FROM star.fact_sessions
    WHERE NOT is_bot
    UNION ALL
    SELECT
        unnest(['sessions', 'revenue of sessions', 'revenue']),
        'marts.device_daily',
        date,
        unnest([sessions, revenue, revenue])
    FROM marts.device_daily
    UNION ALL
    SELECT 'sessions with an order', 'marts.funnel_daily', date, sessions
    FROM marts.funnel_daily
    WHERE step = 'purchase'
    UNION ALL
    SELECT
        unnest(['orders', 'revenue', 'refunds', 'sessions', 'visitors']),
        'marts.daily_trends',
        date,
        unnest([orders, revenue, refunds, sessions, visitors])
    FROM marts.daily_trends
    UNION ALL
    SELECT unnest(['orders', 'revenue']), 'marts.attribution, ' || model, date, unnest([orders, revenue])
    FROM marts.attribution
    UNION ALL
    SELECT
        unnest(['customers', 'orders', 'revenue', 'refunds']),
        'sessionized.customer_days',
        event_date,
        unnest([CASE WHEN orders > 0 THEN 1 ELSE 0 END, orders, revenue, refunds])
    FROM sessionized.customer_days
    UNION ALL
    SELECT 'customers', 'star.fact_orders', order_date, count(DISTINCT person_key)
    FROM star.fact_orders
    GROUP BY order_date
    UNION ALL
    SELECT 'visitors', 'star.fact_sessions', session_date, count(DISTINCT person_key)
    FROM star.fact_sessions
    WHERE NOT is_bot
    GROUP BY session_date
    UNION ALL
    SELECT 'sessions, bots included', 'star.fact_sessions', session_date, 1
    FROM star.fact_sessions
    UNION ALL
    SELECT
        unnest(['sessions, bots included', 'visitors']),
        'sessionized.person_days',
        event_date,
        unnest([sessions, CASE WHEN is_bot THEN 0 ELSE 1 END])
    FROM sessionized.person_days
    UNION ALL
    SELECT 'refunds', 'star.fact_refunds', refund_date, amount
    FROM star.fact_refunds
),
figures AS (
    SELECT name, table_name, date, sum(value) AS value
    FROM measured
    GROUP BY name, table_name, date
),
days AS (
    SELECT name, date
    FROM figures
    WHERE value <> 0
    GROUP BY name, date
)
SELECT
    days.date,
    pairs.name,
    pairs.left_table,
    CAST(coalesce(one.value, 0) AS DECIMAL(18, 4)) AS left_value,
    pairs.right_table,
    CAST(coalesce(other.value, 0) AS DECIMAL(18, 4)) AS right_value,
    CASE WHEN coalesce(one.value, 0) <> coalesce(other.value, 0) THEN pairs.reason END AS reason
FROM days
INNER JOIN pairs ON days.name = pairs.name
LEFT JOIN figures AS one ON days.name = one.name AND days.date = one.date AND pairs.left_table = one.table_name
LEFT JOIN figures AS other
    ON days.name = other.name AND days.date = other.date AND pairs.right_table = other.table_name
