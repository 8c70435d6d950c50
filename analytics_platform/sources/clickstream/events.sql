-- Grain: one row per event of the clickstream.
-- Rules: the tracker's names of events are mapped to GA4's. Order number, revenue and items are in event_data.
SELECT
    event_id,
    client_id,
    user_id,
    CASE event_name
        WHEN 'page_viewed' THEN 'page_view'
        WHEN 'product_added_to_cart' THEN 'add_to_cart'
        WHEN 'checkout_started' THEN 'begin_checkout'
        WHEN 'checkout_completed' THEN 'purchase'
        WHEN 'email_filled_on_popup' THEN 'generate_lead'
        ELSE event_name
    END AS event_name,
    event_name AS raw_event_name,
    event_at,
    event_date,
    coalesce(received_at, arrived_at) AS received_at,
    'WEB' AS platform,
    page_url,
    referrer,
    user_agent,
    known_id(json_extract_string(event_data, '$.transaction_id')) AS transaction_id,
    coalesce(
        amount(json_extract_string(event_data, '$.revenue')), amount(json_extract_string(event_data, '$.value'))
    ) AS revenue,
    coalesce(
        currency_code(json_extract_string(event_data, '$.currency')),
        currency_in(
            coalesce(
                known(json_extract_string(event_data, '$.revenue')), known(json_extract_string(event_data, '$.value'))
            )
        )
    ) AS currency,
    known(json_extract_string(event_data, '$.item_list_id')) AS list_id,
    known(json_extract_string(event_data, '$.item_list_name')) AS list_name,
    json_list(json_extract_string(event_data, '$.items')) AS items_json,
    position,
    batch_id
FROM cleaned.clickstream
