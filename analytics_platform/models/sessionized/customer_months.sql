-- Grain: one row per client and month with a purchase or refund.
-- Rules: built from the day rollup, for the clients that occur in the days to build. A month without counted orders is
-- kept with zeros, so that no row disappears when late events change what counts.
SELECT
    client_id,
    CAST(date_trunc('month', event_date) AS DATE) AS month,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(sum(revenue) AS DECIMAL(18, 4)) AS revenue,
    CAST(sum(refunds) AS DECIMAL(18, 4)) AS refunds,
    min(CASE WHEN orders > 0 THEN event_date END) AS first_order_date,
    max(CASE WHEN orders > 0 THEN event_date END) AS last_order_date
FROM sessionized.customer_days
GROUP BY client_id, CAST(date_trunc('month', event_date) AS DATE)
