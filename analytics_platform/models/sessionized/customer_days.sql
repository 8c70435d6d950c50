-- Grain: one row per client and day with a purchase event, the rollup from which purchases of customers are computed.
-- Rules: an order counts once, by its first event. A day without counted orders is kept with zeros, so that no row
-- disappears when late events change what counts.
SELECT
    events.client_id,
    events.event_date,
    count(purchases.event_id) AS orders,
    CAST(coalesce(sum(purchases.revenue), 0) AS DECIMAL(18, 4)) AS revenue
FROM cleaned.events AS events
LEFT JOIN sessionized.purchases AS purchases ON events.event_id = purchases.event_id
WHERE events.event_name = 'purchase'
GROUP BY events.client_id, events.event_date
