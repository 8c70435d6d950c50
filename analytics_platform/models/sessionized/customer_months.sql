-- Grain: one row per person and month with an order or refund.
SELECT
    person_id,
    CAST(date_trunc('month', event_date) AS DATE) AS month,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(sum(revenue) AS DECIMAL(18, 4)) AS revenue,
    CAST(sum(refunds) AS DECIMAL(18, 4)) AS refunds,
    min(CASE WHEN orders > 0 THEN event_date END) AS first_order_date,
    max(CASE WHEN orders > 0 THEN event_date END) AS last_order_date,
    CAST(coalesce(sum(unknown_amounts), 0) AS BIGINT) AS unknown_amounts,
    CAST(coalesce(sum(unknown_refunds), 0) AS BIGINT) AS unknown_refunds
FROM sessionized.customer_days
GROUP BY person_id, CAST(date_trunc('month', event_date) AS DATE)
