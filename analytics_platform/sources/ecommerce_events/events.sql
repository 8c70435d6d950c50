-- Grain: one row per product event of the queue.
-- Rules: the platform of the app tells device and system, where the message does not.
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
    campaign_tags,
    source_session_id,
    country,
    city,
    coalesce(device_type, CASE WHEN platform IN ('IOS', 'ANDROID') THEN 'mobile' END) AS device_type,
    coalesce(os, CASE platform WHEN 'IOS' THEN 'iOS' WHEN 'ANDROID' THEN 'Android' END) AS os,
    browser,
    transaction_id,
    coalesce(revenue, revenue_usd) AS revenue,
    CASE WHEN revenue IS NULL AND revenue_usd IS NOT NULL THEN 'USD' ELSE currency_code(currency) END AS currency,
    list_id,
    list_name,
    items AS items_json,
    position,
    batch_id
FROM cleaned.ecommerce_events
