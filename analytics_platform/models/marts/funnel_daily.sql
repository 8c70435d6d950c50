-- Grain: one row per day and step of view → cart → checkout → purchase, counted in sessions. Bots are left out.
-- Rules: a session that reached a later step counts for the earlier ones too.
WITH reached AS (
    SELECT
        session_date AS date,
        CASE
            WHEN purchased THEN 4
            WHEN began_checkout THEN 3
            WHEN added_to_cart THEN 2
            WHEN viewed THEN 1
            ELSE 0
        END AS furthest
    FROM star.fact_sessions
    WHERE NOT is_bot
),
steps AS (
    SELECT
        step_index,
        step
    FROM (VALUES (1, 'view'), (2, 'cart'), (3, 'checkout'), (4, 'purchase')) AS listed (step_index, step)
),
counted AS (
    SELECT
        reached.date,
        steps.step_index,
        steps.step,
        count(*) FILTER (WHERE reached.furthest >= steps.step_index) AS sessions
    FROM reached
    CROSS JOIN steps
    GROUP BY reached.date, steps.step_index, steps.step
),
compared AS (
    SELECT
        date,
        step_index,
        step,
        sessions,
        lag(sessions) OVER (PARTITION BY date ORDER BY step_index) AS previous_sessions,
        first_value(sessions) OVER (PARTITION BY date ORDER BY step_index) AS first_sessions
    FROM counted
)
SELECT
    date,
    CAST(step_index AS BIGINT) AS step_index,
    step,
    sessions,
    CAST(sessions AS DOUBLE) / nullif(coalesce(previous_sessions, sessions), 0) AS rate_from_previous,
    CAST(sessions AS DOUBLE) / nullif(first_sessions, 0) AS rate_from_start
FROM compared
