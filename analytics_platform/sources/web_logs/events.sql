-- Grain: one row per interaction log.
-- Rules: a log knows its user, not the browser: the client is user:<user_id>.
SELECT
    event_id,
    'user:' || CAST(user_id AS VARCHAR) AS client_id,
    CAST(user_id AS VARCHAR) AS user_id,
    action AS event_name,
    event_at,
    event_date,
    arrived_at AS received_at,
    'WEB' AS platform,
    session_id AS source_session_id,
    device AS device_type,
    named_item(item_name) AS items_json,
    position,
    batch_id
FROM cleaned.web_logs
