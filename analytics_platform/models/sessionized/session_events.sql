-- Grain: one row per event, with the session it belongs to.
-- Rules: a session starts after a pause of more than 30 minutes of elapsed time (exactly 30:00.000000 does not split).
-- The first event of a day also starts one if its client had no start made by a pause on the day before. So the
-- session of an event depends on the events of its day and of the two days before it, and on no others. Of events at
-- the same time the first received comes first; those of a batch keep their order.
WITH ordered AS (
    SELECT
        event_id,
        client_id,
        event_at,
        event_date,
        lag(event_at) OVER client AS previous_at,
        lag(event_date) OVER client AS previous_date,
        row_number() OVER client AS client_index
    FROM cleaned.events
    WINDOW client AS (PARTITION BY client_id ORDER BY event_at, received_at, position, event_id)
),
marked AS (
    SELECT
        event_id,
        client_id,
        event_at,
        event_date,
        client_index,
        previous_at IS NULL OR event_at > previous_at + INTERVAL '30' MINUTE AS after_pause,
        previous_date < event_date AS is_first_of_day
    FROM ordered
),
paused_days AS (
    SELECT DISTINCT
        client_id,
        event_date + 1 AS next_date
    FROM marked
    WHERE after_pause
),
checked AS (
    SELECT
        marked.event_id,
        marked.client_id,
        marked.event_at,
        marked.event_date,
        marked.client_index,
        marked.after_pause,
        marked.after_pause OR (marked.is_first_of_day AND paused_days.client_id IS NULL) AS is_start
    FROM marked
    LEFT JOIN paused_days
        ON marked.client_id = paused_days.client_id
        AND marked.event_date = paused_days.next_date
        AND marked.is_first_of_day
),
assigned AS (
    SELECT
        event_id,
        client_id,
        event_at,
        event_date,
        client_index,
        max(CASE WHEN is_start THEN event_at END) OVER so_far AS started_at,
        max(CASE WHEN is_start THEN client_index END) OVER so_far AS start_index,
        max(CASE WHEN is_start AND NOT after_pause THEN client_index END) OVER so_far AS midnight_index
    FROM checked
    WINDOW so_far AS (
        PARTITION BY client_id ORDER BY client_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    )
)
SELECT
    event_id,
    event_date,
    md5(client_id || '|' || CAST(micros(started_at) AS VARCHAR)) AS session_id,
    CAST(started_at AS DATE) AS session_date,
    client_id,
    event_at,
    started_at,
    client_index - start_index + 1 AS event_index,
    CASE WHEN midnight_index = start_index THEN 'midnight' ELSE 'pause' END AS split_reason
FROM assigned
