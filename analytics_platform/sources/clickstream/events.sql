-- Grain: one row per event of the clickstream.
-- Rules: order number, revenue and items are in event_data; order number, amount and currency of an order or a refund
-- under any of their usual names, of the names of an amount the first that says something. What a tracker wrote there
-- has the names of a message already (trackers.py).
WITH named AS (
    SELECT
        *,
        -- Most events are views without data: the name of each took a tenth of the time of the model.
        CASE WHEN event_data IS NOT NULL THEN ga4_name(event_name) END AS ga4_event_name,
        fields_of(event_data) AS fields
    FROM cleaned.clickstream
),
parsed AS (
    SELECT
        *,
        told_amount(ga4_event_name, event_data, fields) AS told_amount,
        struct_extract(fields, 'currency') AS currency_text,
        struct_extract(fields, 'item_list_id') AS item_list_id,
        struct_extract(fields, 'list_id') AS list_id,
        struct_extract(fields, 'item_list_name') AS item_list_name,
        struct_extract(fields, 'list_name') AS list_name,
        struct_extract(fields, 'items') AS items_text
    FROM named
)
SELECT
    event_id,
    client_id,
    user_id,
    event_name,
    event_at,
    event_date,
    coalesce(received_at, arrived_at) AS received_at,
    'WEB' AS platform,
    page_url,
    known(struct_extract(fields, 'page_title')) AS page_title,
    referrer,
    user_agent,
    CASE WHEN ga4_event_name IN ('purchase', 'refund') THEN order_id(event_data) END AS transaction_id,
    amount(told_amount) AS revenue,
    coalesce(
        currency_code(currency_text), currency_code(other_currency(event_data)), currency_in(told_amount)
    ) AS currency,
    amount(struct_extract(fields, 'tax')) AS tax,
    amount(struct_extract(fields, 'shipping')) AS shipping,
    amount(struct_extract(fields, 'discount')) AS discount,
    known(struct_extract(fields, 'coupon')) AS coupon,
    coalesce(known(struct_extract(fields, 'search_term')), known(struct_extract(fields, 'query'))) AS search_term,
    coalesce(known(item_list_id), known(list_id)) AS list_id,
    coalesce(known(item_list_name), known(list_name)) AS list_name,
    plain_id(struct_extract(fields, 'promotion_id')) AS promotion_id,
    known(struct_extract(fields, 'promotion_name')) AS promotion_name,
    known(struct_extract(fields, 'creative_name')) AS creative_name,
    known(struct_extract(fields, 'creative_slot')) AS creative_slot,
    CASE
        -- Without, a refund of items that cannot be read gave the whole order back.
        WHEN ga4_event_name = 'refund' AND contains(event_data, '"items that are no list"') THEN '[{}]'
        ELSE json_list(items_text)
    END AS items_json,
    position,
    batch_id
FROM parsed
