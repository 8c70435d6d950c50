-- Grain: one row per item of an event, in the order the event lists them.
-- Rules: prices are in the shop's currency, unknown without a rate. The amount of a line of a purchase or refund is its
-- price × quantity (one piece where that is missing), or its price where the prices are the lines' totals: they make up
-- the event's amount, and price × quantity makes more. Lines without price share what is left, each the same.
-- Field names of the web tracker (item_price, item_variant …) and of GA4 are both read. A price that is not a
-- number and a quantity that is not a count are left empty. An item without fields is kept.
WITH listed AS (
    SELECT
        event_id,
        event_date,
        list_id,
        list_name,
        exchange_rate,
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
        exchange_rate,
        struct_extract(numbered, 'item_index') AS item_index,
        struct_extract(numbered, 'item') AS item
    FROM listed
),
sold AS (
    SELECT
        event_id,
        abs(amount) AS total,
        unnest(numbered_items(items_json)) AS numbered
    FROM cleaned.events
    WHERE items_json IS NOT NULL AND amount IS NOT NULL
),
lines AS (
    SELECT
        event_id,
        total,
        struct_extract(numbered, 'item_index') AS item_index,
        item_price(struct_extract(numbered, 'item')) AS price,
        coalesce(whole(json_extract_string(struct_extract(numbered, 'item'), '$.quantity')), 1) AS pieces
    FROM sold
),
sums AS (
    SELECT
        event_id,
        sum(price * pieces) AS by_piece,
        sum(price) AS by_line,
        count(*) FILTER (WHERE price IS NULL) AS unpriced
    FROM lines
    GROUP BY event_id
),
based AS (
    SELECT
        lines.event_id,
        lines.item_index,
        lines.total,
        lines.price,
        sums.unpriced,
        CASE
            WHEN lines.price IS NULL THEN 'shared'
            WHEN sums.by_piece > lines.total AND sums.by_line = lines.total THEN 'line total'
            WHEN sums.by_piece > lines.total AND sums.by_line < lines.total AND sums.unpriced > 0 THEN 'line total'
            ELSE 'unit price'
        END AS amount_basis,
        lines.pieces,
        count(*) FILTER (WHERE lines.price IS NULL) OVER (
            PARTITION BY lines.event_id ORDER BY lines.item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS place
    FROM lines
    INNER JOIN sums ON lines.event_id = sums.event_id
),
priced AS (
    SELECT
        event_id,
        item_index,
        total,
        unpriced,
        place,
        amount_basis,
        CASE amount_basis WHEN 'line total' THEN price WHEN 'unit price' THEN money(price * pieces) END AS amount
    FROM based
),
valued AS (
    SELECT
        event_id,
        item_index,
        amount_basis,
        coalesce(
            amount,
            share_of(
                greatest(total - coalesce(sum(amount) OVER (PARTITION BY event_id), 0), 0), place, greatest(unpriced, 1)
            )
        ) AS amount
    FROM priced
)
SELECT
    items.event_id,
    items.item_index,
    items.event_date,
    plain_id(json_extract_string(item, '$.item_id')) AS product_id,
    known(json_extract_string(item, '$.item_name')) AS product_name,
    known(json_extract_string(item, '$.item_brand')) AS brand,
    known(json_extract_string(item, '$.item_category')) AS category,
    known(json_extract_string(item, '$.item_variant')) AS variant,
    money(item_price(item) * exchange_rate) AS price,
    whole(json_extract_string(item, '$.quantity')) AS quantity,
    known(json_extract_string(item, '$.coupon')) AS coupon,
    coalesce(known(json_extract_string(item, '$.item_list_id')), list_id) AS list_id,
    coalesce(known(json_extract_string(item, '$.item_list_name')), list_name) AS list_name,
    whole(
        coalesce(json_extract_string(item, '$.index'), json_extract_string(item, '$.item_list_index'))
    ) AS list_index,
    money(valued.amount * exchange_rate) AS amount,
    valued.amount_basis
FROM items
LEFT JOIN valued ON items.event_id = valued.event_id AND items.item_index = valued.item_index
