-- Grain: one row per person and day on which one of their sessions starts, the rollup from which persons are made.
-- Rules: a person is a bot on a day if all sessions are. The place is that of the last session which knows it.
WITH days AS (
    SELECT
        person_id,
        session_date,
        min(started_at) AS first_at,
        max(ended_at) AS last_at,
        count(*) AS sessions,
        sum(events) AS events,
        max_by({'country': country, 'city': city}, started_at) FILTER (
            WHERE coalesce(country, city) IS NOT NULL
        ) AS place,
        bool_and(is_bot) AS is_bot
    FROM sessionized.sessions
    GROUP BY person_id, session_date
)
SELECT
    person_id,
    session_date AS event_date,
    first_at,
    last_at,
    sessions,
    CAST(events AS BIGINT) AS events,
    struct_extract(place, 'country') AS country,
    struct_extract(place, 'city') AS city,
    is_bot
FROM days
