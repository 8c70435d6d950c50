-- Grain: one row per client and day, the rollup from which all-time figures of clients are computed.
-- Rules: the user is the last signed-in one; of two at the same time the one received later wins. A client is a bot on a
-- day if all its sessions are. It is where the last session that knows country or city was.
WITH signed_in AS (
    SELECT
        client_id,
        event_date,
        user_id,
        row_number() OVER (
            PARTITION BY client_id, event_date ORDER BY event_at DESC, received_at DESC, position DESC, event_id DESC
        ) AS latest
    FROM cleaned.events
    WHERE user_id IS NOT NULL
),
days AS (
    SELECT
        entries.client_id,
        entries.event_date,
        min(entries.event_at) AS first_at,
        max(entries.event_at) AS last_at,
        count(*) AS events,
        max_by({'country': sessions.country, 'city': sessions.city}, sessions.started_at) FILTER (
            WHERE coalesce(sessions.country, sessions.city) IS NOT NULL
        ) AS place,
        bool_and(sessions.is_bot) AS is_bot
    FROM sessionized.session_events AS entries
    INNER JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    GROUP BY entries.client_id, entries.event_date
)
SELECT
    days.client_id,
    days.event_date,
    signed_in.user_id,
    days.first_at,
    days.last_at,
    days.events,
    struct_extract(days.place, 'country') AS country,
    struct_extract(days.place, 'city') AS city,
    days.is_bot
FROM days
LEFT JOIN signed_in
    ON days.client_id = signed_in.client_id
    AND days.event_date = signed_in.event_date
    AND signed_in.latest = 1
