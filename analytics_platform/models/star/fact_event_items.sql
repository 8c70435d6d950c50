-- Grain: one row per product interaction, that is per item of an event.
-- Rules: the list is the item's own, else the event's; the credited list is that or the one that led to the product.
-- Customer and product are the versions valid at the time; a single version is joined without comparing times.
SELECT
    items.event_id,
    items.item_index,
    items.event_date,
    date_key(items.event_date) AS date_key,
    events.event_at,
    credited.session_id,
    client_key(sessions.person_id) AS person_key,
    coalesce(customers.customer_key, client_key(events.client_id)) AS customer_key,
    coalesce(products.product_key, surrogate_key(credited.product_id)) AS product_key,
    coalesce(
        variant_key(credited.product_id, items.variant), products.product_key, surrogate_key(credited.product_id)
    ) AS variant_key,
    surrogate_key(coalesce(items.list_id, items.list_name)) AS list_key,
    surrogate_key(credited.list_id) AS credited_list_key,
    surrogate_key(sessions.channel) AS channel_key,
    device_key(events.device_type, events.os, events.browser) AS device_key,
    events.client_id,
    events.user_id,
    events.event_name,
    events.platform,
    items.list_name,
    items.list_index,
    credited.product_id,
    items.product_name,
    items.variant,
    items.brand,
    items.category,
    items.coupon,
    items.price,
    items.quantity,
    items.amount,
    sessions.is_bot
FROM cleaned.event_items AS items
INNER JOIN cleaned.events AS events ON items.event_id = events.event_id
INNER JOIN sessionized.credited_items AS credited
    ON items.event_id = credited.event_id AND items.item_index = credited.item_index
INNER JOIN sessionized.sessions AS sessions ON credited.session_id = sessions.session_id
LEFT JOIN cleaned.customer_history AS customers
    ON events.client_id = customers.client_id
    AND customers.version > 1
    AND events.event_at >= customers.valid_from
    AND events.event_at < customers.valid_to
LEFT JOIN cleaned.product_history AS products
    ON credited.product_id = products.product_id
    AND products.version > 1
    AND events.event_at >= products.valid_from
    AND events.event_at < products.valid_to
