-- Grain: one row per product that was seen, ranked within its category. Bots are left out.
-- Rules: rank 1 has the highest revenue; among equals the one with more pieces, then the smaller product id. The
-- category is the latest known one, else '(not set)', which no source can name.
WITH named AS (
    SELECT
        product_id,
        product_name,
        category
    FROM star.dim_product
    WHERE product_key <> -1 AND is_current
),
sellers AS (
    SELECT
        sales.product_id,
        named.product_name,
        coalesce(named.category, '(not set)') AS category,
        sales.orders,
        sales.quantity,
        sales.revenue,
        sales.refunds,
        sales.net_revenue,
        sales.unknown_amounts,
        sales.unknown_refunds
    FROM marts.top_sellers AS sales
    LEFT JOIN named ON sales.product_id = named.product_id
)
SELECT
    product_id,
    product_name,
    category,
    row_number() OVER (PARTITION BY category ORDER BY revenue DESC, quantity DESC, product_id) AS rank,
    orders,
    quantity,
    revenue,
    refunds,
    net_revenue,
    unknown_amounts,
    unknown_refunds,
    CAST(revenue AS DOUBLE) / nullif(sum(revenue) OVER (PARTITION BY category), 0) AS share_of_category
FROM sellers
