-- Grain: one row per customer (person) with an order. Bots are left out.
-- Rules: rank 1 has the highest revenue; among equals the smaller person id comes first, also in the running total.
-- Revenue is missing where no order has a known amount; such customers come last.
WITH customers AS (
    SELECT
        person_id,
        sum(orders) AS orders,
        CASE WHEN sum(months.orders) > sum(unknown_amounts) THEN sum(months.revenue) END AS revenue,
        sum(unknown_amounts) AS unknown_orders,
        sum(refunds) AS refunds,
        sum(unknown_refunds) AS unknown_refunds,
        min(first_order_date) AS first_order_date,
        max(last_order_date) AS last_order_date
    FROM sessionized.customer_months AS months
    GROUP BY person_id
    HAVING sum(months.orders) > 0 -- not the sum above of the same name
),
ranked AS (
    SELECT
        person_id,
        orders,
        revenue,
        unknown_orders,
        refunds,
        unknown_refunds,
        first_order_date,
        last_order_date,
        row_number() OVER (ORDER BY revenue DESC NULLS LAST, person_id) AS rank,
        sum(revenue) OVER (
            ORDER BY revenue DESC NULLS LAST, person_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS running_total,
        sum(revenue) OVER () AS total
    FROM customers
)
SELECT
    person_id,
    rank,
    CAST(orders AS BIGINT) AS orders,
    CAST(revenue AS DECIMAL(18, 4)) AS revenue,
    CAST(refunds AS DECIMAL(18, 4)) AS refunds,
    CAST(revenue - refunds AS DECIMAL(18, 4)) AS net_revenue,
    CAST(running_total AS DECIMAL(18, 4)) AS running_total,
    CAST(revenue AS DOUBLE) / nullif(total, 0) AS share,
    CAST(running_total AS DOUBLE) / nullif(total, 0) AS running_share,
    first_order_date,
    last_order_date,
    CAST(unknown_orders AS BIGINT) AS unknown_amounts,
    CAST(unknown_refunds AS BIGINT) AS unknown_refunds
FROM ranked
