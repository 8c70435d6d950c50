-- Grain: one row per product and day, with its latest attributes that day.
-- Rules: each attribute is the last one seen that day that is not missing; of two at the same time the one received
-- later and the later item win, so the result does not depend on the order of rows. Sessions of bots give no names. The
-- variants are a JSON array, by name, each with its last price.
WITH seen AS (
    SELECT
        credited.product_id,
        items.event_date,
        items.product_name,
        items.brand,
        items.category,
        items.price,
        items.variant,
        events.event_at,
        sessions.is_bot,
        row_number() OVER (
            PARTITION BY credited.product_id, items.event_date
            ORDER BY events.event_at, events.received_at, events.position, items.event_id, items.item_index
        ) AS sighting
    FROM sessionized.credited_items AS credited
    INNER JOIN cleaned.event_items AS items
        ON credited.event_id = items.event_id AND credited.item_index = items.item_index
    INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
    INNER JOIN sessionized.sessions AS sessions ON credited.session_id = sessions.session_id
    WHERE credited.product_id IS NOT NULL
),
variants AS (
    SELECT
        product_id,
        event_date,
        variant,
        max_by(price, sighting) FILTER (WHERE price IS NOT NULL AND NOT is_bot) AS price
    FROM seen
    WHERE variant IS NOT NULL
    GROUP BY product_id, event_date, variant
),
listed AS (
    SELECT
        product_id,
        event_date,
        CAST(to_json(list({'variant': variant, 'price': CAST(price AS VARCHAR)} ORDER BY variant)) AS VARCHAR) AS variants
    FROM variants
    GROUP BY product_id, event_date
),
products AS (
    SELECT
        product_id,
        event_date,
        max_by(product_name, sighting) FILTER (WHERE product_name IS NOT NULL AND NOT is_bot) AS product_name,
        max_by(brand, sighting) FILTER (WHERE brand IS NOT NULL AND NOT is_bot) AS brand,
        max_by(category, sighting) FILTER (WHERE category IS NOT NULL AND NOT is_bot) AS category,
        max_by(price, sighting) FILTER (WHERE price IS NOT NULL AND NOT is_bot) AS price,
        min(event_at) AS first_at,
        max(event_at) AS last_at
    FROM seen
    GROUP BY product_id, event_date
)
SELECT products.*, listed.variants
FROM products
LEFT JOIN listed ON products.product_id = listed.product_id AND products.event_date = listed.event_date
