-- Grain: one row per day and product. Bots are left out.
WITH interest AS (
    SELECT
        event_date AS date,
        product_id,
        count(DISTINCT event_id) FILTER (WHERE event_name = 'view_item') AS views,
        count(DISTINCT event_id) FILTER (WHERE event_name = 'add_to_cart') AS add_to_carts
    FROM star.fact_event_items
    WHERE NOT is_bot AND product_id IS NOT NULL
    GROUP BY event_date, product_id
),
sales AS (
    SELECT
        lines.order_date AS date,
        lines.product_id,
        count(DISTINCT lines.event_id) AS orders,
        sum(coalesce(lines.quantity, 1)) AS quantity,
        sum(coalesce(lines.amount, 0)) AS revenue
    FROM star.fact_order_items AS lines
    INNER JOIN star.fact_orders AS orders ON lines.event_id = orders.event_id
    WHERE NOT orders.is_bot AND lines.product_id IS NOT NULL
    GROUP BY lines.order_date, lines.product_id
),
days AS (
    SELECT date, product_id FROM interest
    UNION
    SELECT date, product_id FROM sales
)
SELECT
    days.date,
    days.product_id,
    coalesce(interest.views, 0) AS views,
    coalesce(interest.add_to_carts, 0) AS add_to_carts,
    coalesce(sales.orders, 0) AS orders,
    CAST(coalesce(sales.quantity, 0) AS BIGINT) AS quantity,
    CAST(coalesce(sales.revenue, 0) AS DECIMAL(18, 4)) AS revenue
FROM days
LEFT JOIN interest ON days.date = interest.date AND days.product_id = interest.product_id
LEFT JOIN sales ON days.date = sales.date AND days.product_id = sales.product_id
