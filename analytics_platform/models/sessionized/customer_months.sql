-- Grain: one row per client and month with a purchase event.
-- Rules: made from the day rollup, for the clients that the days that are built touch. A month in which no order counts
-- is kept with zeros, so that no row vanishes when late events change what counts.
SELECT
    client_id,
    CAST(date_trunc('month', event_date) AS DATE) AS month,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(sum(revenue) AS DECIMAL(18, 4)) AS revenue,
    min(CASE WHEN orders > 0 THEN event_date END) AS first_order_date,
    max(CASE WHEN orders > 0 THEN event_date END) AS last_order_date
FROM sessionized.customer_days
GROUP BY client_id, CAST(date_trunc('month', event_date) AS DATE)
