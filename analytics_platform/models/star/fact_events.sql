-- Grain: one row per event, with its session and the session's channel.
-- Rules: the customer is the version valid at the time; a single version is joined without comparing times. What all
-- events of a session share is computed once for it: a key takes longer than the join.
WITH visits AS (
    SELECT
        session_id,
        client_key(person_id) AS person_key,
        client_key(client_id) AS first_customer_key,
        surrogate_key(channel) AS channel_key,
        is_bot
    FROM sessionized.sessions
)
SELECT
    events.event_id,
    events.event_date,
    date_key(events.event_date) AS date_key,
    events.event_at,
    CAST(events.event_at AT TIME ZONE $shop_timezone AS DATE) AS shop_date,
    CAST(hour(events.event_at AT TIME ZONE $shop_timezone) AS BIGINT) AS shop_hour,
    entries.session_id,
    coalesce(visits.person_key, -1) AS person_key,
    coalesce(customers.customer_key, visits.first_customer_key, client_key(events.client_id)) AS customer_key,
    coalesce(visits.channel_key, -1) AS channel_key,
    device_key(events.device_type, events.os, events.browser) AS device_key,
    events.client_id,
    events.user_id,
    events.event_name,
    events.source AS feed,
    events.platform,
    page_key(events.page_host, events.page_path) AS page_key,
    events.page_path,
    events.search_term,
    events.transaction_id,
    events.revenue,
    coalesce(visits.is_bot, FALSE) AS is_bot
FROM cleaned.events AS events
LEFT JOIN sessionized.session_events AS entries ON events.event_id = entries.event_id
LEFT JOIN visits ON entries.session_id = visits.session_id
LEFT JOIN cleaned.customer_history AS customers
    ON events.client_id = customers.client_id
    AND customers.version > 1
    AND events.event_at >= customers.valid_from
    AND events.event_at < customers.valid_to
