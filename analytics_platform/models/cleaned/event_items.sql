-- Grain: one row per item of an event, in the order the event lists them.
-- Rules: field names of the web tracker (item_price, item_variant …) and of GA4 are both read. A price that is not a
-- number and a quantity that is not a count are left empty. An item without fields is kept.
WITH listed AS (
    SELECT
        event_id,
        event_date,
        list_id,
        list_name,
        unnest(numbered_items(items_json)) AS numbered
    FROM cleaned.events
    WHERE items_json IS NOT NULL
),
items AS (
    SELECT
        event_id,
        event_date,
        list_id,
        list_name,
        struct_extract(numbered, 'item_index') AS item_index,
        struct_extract(numbered, 'item') AS item
    FROM listed
)
SELECT
    event_id,
    item_index,
    event_date,
    nullif(trim(json_extract_string(item, '$.item_id')), '') AS product_id,
    nullif(json_extract_string(item, '$.item_name'), '') AS product_name,
    nullif(json_extract_string(item, '$.item_brand'), '') AS brand,
    nullif(json_extract_string(item, '$.item_category'), '') AS category,
    nullif(json_extract_string(item, '$.item_variant'), '') AS variant,
    money(coalesce(json_extract_string(item, '$.item_price'), json_extract_string(item, '$.price'))) AS price,
    whole(json_extract_string(item, '$.quantity')) AS quantity,
    nullif(json_extract_string(item, '$.coupon'), '') AS coupon,
    coalesce(nullif(json_extract_string(item, '$.item_list_id'), ''), list_id) AS list_id,
    coalesce(nullif(json_extract_string(item, '$.item_list_name'), ''), list_name) AS list_name,
    whole(
        coalesce(json_extract_string(item, '$.index'), json_extract_string(item, '$.item_list_index'))
    ) AS list_index
FROM items
