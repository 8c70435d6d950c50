-- Grain: one row per client and day with a purchase or refund, the rollup from which figures of customers are computed.
-- Rules: an order counts once, by its first event. A day without counted orders is kept with zeros, so that no row
-- disappears when late events change what counts.
WITH sold AS (
    SELECT
        events.client_id,
        events.event_date,
        CASE WHEN purchases.event_id IS NOT NULL THEN 1 ELSE 0 END AS orders,
        purchases.revenue,
        NULL AS refunded
    FROM cleaned.events AS events
    LEFT JOIN sessionized.purchases AS purchases ON events.event_id = purchases.event_id
    WHERE events.event_name = 'purchase'
    UNION ALL
    SELECT client_id, event_date, 0, NULL, amount
    FROM sessionized.refunds
    WHERE item_index = -1
)
SELECT
    client_id,
    event_date,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(sum(refunded), 0) AS DECIMAL(18, 4)) AS refunds
FROM sold
GROUP BY client_id, event_date
