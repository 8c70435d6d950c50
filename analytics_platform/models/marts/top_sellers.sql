-- Grain: one row per product that was seen. Bots are left out: a product that only they saw has zeros.
-- Rules: built from the day rollup, for the products that occur in the days to build.
SELECT
    product_id,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(sum(quantity) AS BIGINT) AS quantity,
    CAST(sum(revenue) AS DECIMAL(18, 4)) AS revenue,
    CAST(sum(refunds) AS DECIMAL(18, 4)) AS refunds,
    CAST(sum(net_revenue) AS DECIMAL(18, 4)) AS net_revenue,
    CAST(sum(unknown_amounts) AS BIGINT) AS unknown_amounts,
    CAST(sum(unknown_refunds) AS BIGINT) AS unknown_refunds
FROM marts.product_daily
GROUP BY product_id
