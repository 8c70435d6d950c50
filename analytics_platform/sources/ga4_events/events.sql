-- Grain: one row per row of GA4's export.
-- Rules: an amount that is given in US dollars only is in these.
SELECT
    event_id,
    client_id,
    user_id,
    event_name,
    event_at,
    event_date,
    arrived_at AS received_at,
    platform,
    page_url,
    referrer,
    campaign_tags,
    source_session_id,
    country,
    city,
    device_type,
    os,
    browser,
    transaction_id,
    coalesce(revenue, revenue_usd) AS revenue,
    CASE WHEN revenue IS NULL AND revenue_usd IS NOT NULL THEN 'USD' ELSE currency_code(currency) END AS currency,
    list_id,
    list_name,
    items AS items_json,
    position,
    batch_id
FROM cleaned.ga4_events
