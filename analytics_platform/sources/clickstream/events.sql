-- Grain: one row per event of the clickstream.
-- Rules: order number, revenue and items are in event_data; the order number under any of its usual names. What a
-- tracker wrote there has the names of a message already (trackers.py).
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
    referrer,
    user_agent,
    CASE WHEN ga4_name(event_name) IN ('purchase', 'refund') THEN order_id(event_data) END AS transaction_id,
    coalesce(
        amount(json_extract_string(event_data, '$.revenue')),
        amount(json_extract_string(event_data, '$.value')),
        amount(json_extract_string(event_data, '$.total'))
    ) AS revenue,
    coalesce(
        currency_code(json_extract_string(event_data, '$.currency')),
        currency_in(
            coalesce(
                known(json_extract_string(event_data, '$.revenue')),
                known(json_extract_string(event_data, '$.value')),
                CASE
                    WHEN amount(json_extract_string(event_data, '$.total')) IS NOT NULL
                        THEN known(json_extract_string(event_data, '$.total'))
                END
            )
        )
    ) AS currency,
    coalesce(
        known(json_extract_string(event_data, '$.item_list_id')), known(json_extract_string(event_data, '$.list_id'))
    ) AS list_id,
    coalesce(
        known(json_extract_string(event_data, '$.item_list_name')),
        known(json_extract_string(event_data, '$.list_name'))
    ) AS list_name,
    json_list(json_extract_string(event_data, '$.items')) AS items_json,
    position,
    batch_id
FROM cleaned.clickstream
