-- Grain: one row per client and day with a purchase event, the rollup from which purchases of customers are computed.
-- Rules: an order counts once, by its first event, and not if its session has a bot. A day without counted orders is
-- kept with zeros, so that no row disappears when late events change what counts.
SELECT
    events.client_id,
    events.event_date,
    count(*) FILTER (WHERE purchases.event_id IS NOT NULL AND NOT coalesce(sessions.is_bot, FALSE)) AS orders,
    CAST(
        coalesce(sum(purchases.revenue) FILTER (WHERE NOT coalesce(sessions.is_bot, FALSE)), 0) AS DECIMAL(18, 4)
    ) AS revenue
FROM cleaned.events AS events
LEFT JOIN sessionized.purchases AS purchases ON events.event_id = purchases.event_id
LEFT JOIN sessionized.session_events AS entries ON purchases.event_id = entries.event_id
LEFT JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
WHERE events.event_name = 'purchase'
GROUP BY events.client_id, events.event_date
