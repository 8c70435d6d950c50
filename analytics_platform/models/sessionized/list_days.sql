-- Grain: one row per product list and day, with its latest name that day.
-- Rules: a list without id is identified by its name; of two names at the same time the one received later wins.
-- Sessions of bots give no names.
WITH seen AS (
    SELECT
        coalesce(items.list_id, items.list_name) AS list_id,
        items.event_date,
        items.list_name,
        events.event_at,
        sessions.is_bot,
        row_number() OVER (
            PARTITION BY coalesce(items.list_id, items.list_name), items.event_date
            ORDER BY events.event_at, events.received_at, events.position, items.event_id, items.item_index
        ) AS sighting
    FROM sessionized.credited_items AS credited
    INNER JOIN cleaned.event_items AS items
        ON credited.event_id = items.event_id AND credited.item_index = items.item_index
    INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
    INNER JOIN sessionized.sessions AS sessions ON credited.session_id = sessions.session_id
    WHERE coalesce(items.list_id, items.list_name) IS NOT NULL
)
SELECT
    list_id,
    event_date,
    max_by(list_name, sighting) FILTER (WHERE list_name IS NOT NULL AND NOT is_bot) AS list_name,
    min(event_at) AS first_at,
    max(event_at) AS last_at
FROM seen
GROUP BY list_id, event_date
