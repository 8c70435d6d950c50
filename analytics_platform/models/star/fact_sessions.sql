-- Grain: one row per session, on the day it starts.
-- Rules: a person's sessions are numbered in the order of time, bots' too. The customer is the version valid
-- at the time; a single version is joined without comparing times.
WITH earlier AS (
    SELECT
        person_id,
        event_date,
        sum(sessions) OVER (
            PARTITION BY person_id ORDER BY event_date ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS sessions
    FROM sessionized.person_days
),
numbered AS (
    SELECT
        sessions.session_id,
        CAST(coalesce(earlier.sessions, 0) + row_number() OVER (
            PARTITION BY sessions.person_id, sessions.session_date ORDER BY sessions.started_at, sessions.session_id
        ) AS BIGINT) AS session_number
    FROM sessionized.sessions AS sessions
    LEFT JOIN earlier ON sessions.person_id = earlier.person_id AND sessions.session_date = earlier.event_date
)
SELECT
    sessions.session_id,
    session_date,
    date_key(session_date) AS date_key,
    sessions.client_id,
    user_id,
    client_key(sessions.person_id) AS person_key,
    coalesce(customers.customer_key, client_key(sessions.client_id)) AS customer_key,
    surrogate_key(channel) AS channel_key,
    device_key(device_type, os, browser) AS device_key,
    started_at,
    CAST(started_at AT TIME ZONE $shop_timezone AS DATE) AS shop_date,
    CAST(hour(started_at AT TIME ZONE $shop_timezone) AS BIGINT) AS shop_hour,
    ended_at,
    duration_s,
    source,
    medium,
    campaign,
    channel,
    events,
    page_views,
    is_bounce,
    entry_page,
    page_key(entry_host, entry_page) AS entry_page_key,
    exit_page,
    page_key(exit_host, exit_page) AS exit_page_key,
    country,
    sessions.city,
    source_session_id,
    is_bot,
    viewed,
    added_to_cart,
    began_checkout,
    purchased,
    orders,
    revenue,
    unknown_amounts,
    session_number,
    session_number = 1 AS is_new
FROM sessionized.sessions AS sessions
INNER JOIN numbered ON sessions.session_id = numbered.session_id
LEFT JOIN cleaned.customer_history AS customers
    ON sessions.client_id = customers.client_id
    AND customers.version > 1
    AND sessions.started_at >= customers.valid_from
    AND sessions.started_at < customers.valid_to
