-- Grain: one row per product event of the queue.
-- Rules: revenue missing from a message is the sum of its items. The platform of the app tells device and system.
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
    coalesce(revenue, items_value(items)) AS revenue,
    list_id,
    list_name,
    items AS items_json,
    batch_id
FROM cleaned.ecommerce_events
