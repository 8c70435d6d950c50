-- Grain: one row per interaction log.
-- Rules: a log knows its user, not the browser: the client is user:<user_id>. A return is one of goods here; elsewhere a
-- visitor may return. Other actions are read as in contracts/event_names.py.
WITH named AS (
    SELECT
        *,
        CASE WHEN plain_name(action) IN ('return', 'returned') THEN 'refund' ELSE action END AS event_name,
        fields_of(event_data) AS fields
    FROM cleaned.web_logs
),
parsed AS (
    SELECT
        *,
        told_amount(ga4_name(event_name), event_data, fields) AS told_amount,
        coalesce(
            json_list(struct_extract(fields, 'items')),
            -- Without, a refund of items that cannot be read gave the whole order back.
            CASE WHEN contains(event_data, '"items that are no list"') THEN '[{}]' END,
            named_item(item_name)
        ) AS items_json
    FROM named
)
SELECT
    event_id,
    'user:' || user_id AS client_id,
    user_id,
    event_name,
    action AS raw_event_name,
    event_at,
    event_date,
    arrived_at AS received_at,
    'WEB' AS platform,
    session_id AS source_session_id,
    page_url,
    referrer,
    user_agent,
    device AS device_type,
    known(struct_extract(fields, 'page_title')) AS page_title,
    CASE WHEN event_data IS NOT NULL THEN order_id(event_data) END AS transaction_id,
    amount(told_amount) AS revenue,
    coalesce(
        currency_code(struct_extract(fields, 'currency')),
        currency_code(other_currency(event_data)),
        currency_in(told_amount)
    ) AS currency,
    amount(struct_extract(fields, 'tax')) AS tax,
    amount(struct_extract(fields, 'shipping')) AS shipping,
    amount(struct_extract(fields, 'discount')) AS discount,
    known(struct_extract(fields, 'coupon')) AS coupon,
    coalesce(known(struct_extract(fields, 'search_term')), known(struct_extract(fields, 'query'))) AS search_term,
    coalesce(known(struct_extract(fields, 'item_list_id')), known(struct_extract(fields, 'list_id'))) AS list_id,
    coalesce(known(struct_extract(fields, 'item_list_name')), known(struct_extract(fields, 'list_name'))) AS list_name,
    plain_id(struct_extract(fields, 'promotion_id')) AS promotion_id,
    known(struct_extract(fields, 'promotion_name')) AS promotion_name,
    known(struct_extract(fields, 'creative_name')) AS creative_name,
    known(struct_extract(fields, 'creative_slot')) AS creative_slot,
    items_json,
    position,
    batch_id
FROM parsed
