-- Grain: one row per product and other product that was bought with it.
-- Rules: built from the day rollup, for the products that occur in the days to build; a row depends only on orders with
-- its first product. Bots are left out.
WITH totals AS (
    SELECT product_id, other_product_id, sum(orders) AS orders
    FROM sessionized.product_pair_days
    GROUP BY product_id, other_product_id
),
sold AS (
    SELECT product_id, orders AS product_orders
    FROM totals
    WHERE product_id = other_product_id
)
SELECT
    totals.product_id,
    totals.other_product_id,
    row_number() OVER (
        PARTITION BY totals.product_id ORDER BY totals.orders DESC, totals.other_product_id
    ) AS rank,
    CAST(totals.orders AS BIGINT) AS orders,
    CAST(sold.product_orders AS BIGINT) AS product_orders,
    CAST(totals.orders AS DOUBLE) / nullif(sold.product_orders, 0) AS confidence
FROM totals
INNER JOIN sold ON totals.product_id = sold.product_id
WHERE totals.product_id <> totals.other_product_id
