-- Grain: one row per product event of the queue.
-- Rules: the platform of the app tells device and system.
SELECT
    event_id,
    client_id,
    user_id,
    event_name,
    event_at,
    event_date,
    coalesce(sent_at, arrived_at) AS received_at,
    platform,
    page_url,
    referrer,
    CASE WHEN platform IN ('IOS', 'ANDROID') THEN 'mobile' END AS device_type,
    CASE platform WHEN 'IOS' THEN 'iOS' WHEN 'ANDROID' THEN 'Android' END AS os,
    transaction_id,
    revenue,
    currency_code(currency) AS currency,
    list_id,
    list_name,
    items AS items_json,
    position,
    batch_id
FROM cleaned.ecommerce_events
