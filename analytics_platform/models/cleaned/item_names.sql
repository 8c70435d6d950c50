-- Grain: one row per day, name of a product in items, and id that stands with it (empty for items that name no id).
SELECT DISTINCT
    event_date,
    product_name,
    coalesce(product_id, '') AS product_id
FROM cleaned.event_items
WHERE product_name IS NOT NULL
