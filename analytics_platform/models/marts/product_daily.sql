-- Grain: one row per day and product that was seen or bought. Bots are left out: a product that only they saw has zeros.
-- Rules: refunds are those that list their items or give back a whole order, on the day they are given. An item has the
-- part of its amount that the refund counts.
WITH interest AS (
    SELECT
        event_date AS date,
        product_id,
        count(DISTINCT event_id) FILTER (WHERE event_name = 'view_item' AND NOT is_bot) AS views,
        count(DISTINCT event_id) FILTER (WHERE event_name = 'add_to_cart' AND NOT is_bot) AS add_to_carts
    FROM star.fact_event_items
    WHERE product_id IS NOT NULL
    GROUP BY event_date, product_id
),
sales AS (
    SELECT
        order_date AS date,
        product_id,
        count(DISTINCT event_id) AS orders,
        sum(coalesce(quantity, 1)) AS quantity,
        sum(coalesce(amount, 0)) AS revenue,
        count(DISTINCT event_id) FILTER (WHERE amount IS NULL) AS unknown_amounts
    FROM star.fact_order_items
    WHERE product_id IS NOT NULL
    GROUP BY order_date, product_id
),
refunded AS (
    SELECT
        event_date AS date,
        product_id,
        sum(amount) AS refunds,
        count(DISTINCT event_id) FILTER (WHERE amount IS NULL) AS unknown_refunds
    FROM sessionized.refunds
    WHERE product_id IS NOT NULL
    GROUP BY event_date, product_id
),
days AS (
    SELECT date, product_id FROM interest
    UNION
    SELECT date, product_id FROM sales
    UNION
    SELECT date, product_id FROM refunded
)
SELECT
    days.date,
    days.product_id,
    coalesce(interest.views, 0) AS views,
    coalesce(interest.add_to_carts, 0) AS add_to_carts,
    coalesce(sales.orders, 0) AS orders,
    CAST(coalesce(sales.quantity, 0) AS BIGINT) AS quantity,
    CAST(coalesce(sales.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(refunded.refunds, 0) AS DECIMAL(18, 4)) AS refunds,
    CAST(coalesce(sales.revenue, 0) - coalesce(refunded.refunds, 0) AS DECIMAL(18, 4)) AS net_revenue,
    coalesce(sales.unknown_amounts, 0) AS unknown_amounts,
    coalesce(refunded.unknown_refunds, 0) AS unknown_refunds,
    stocks.stock,
    stocks.lowest_stock
FROM days
LEFT JOIN interest ON days.date = interest.date AND days.product_id = interest.product_id
LEFT JOIN sales ON days.date = sales.date AND days.product_id = sales.product_id
LEFT JOIN refunded ON days.date = refunded.date AND days.product_id = refunded.product_id
LEFT JOIN marts.stock_daily AS stocks ON days.date = stocks.date AND days.product_id = stocks.product_id
