-- Grain: one row per person and day on which one of their sessions starts, the rollup from which persons are made.
-- Rules: a person is a bot on a day if all sessions are. The place is that of the last session which knows it.
SELECT
    person_id,
    session_date AS event_date,
    min(started_at) AS first_at,
    max(ended_at) AS last_at,
    count(*) AS sessions,
    CAST(sum(events) AS BIGINT) AS events,
    max_by(country, started_at) FILTER (WHERE coalesce(country, city) IS NOT NULL) AS country,
    max_by(city, started_at) FILTER (WHERE coalesce(country, city) IS NOT NULL) AS city,
    bool_and(is_bot) AS is_bot
FROM sessionized.sessions
GROUP BY person_id, session_date
