-- Grain: one row per day of events and source, over all batches with events of the day.
WITH day_columns AS (
    SELECT
        event_date,
        source,
        concat_ws(
            ', ',
            CASE WHEN count(page_url) = 0 THEN 'page_url' END,
            CASE WHEN count(referrer) = 0 THEN 'referrer' END,
            CASE WHEN count(*) FILTER (WHERE device_type <> 'unknown') = 0 THEN 'user_agent' END,
            CASE WHEN count(*) FILTER (WHERE has_items) = 0 THEN 'items' END,
            CASE
                WHEN
                    count(coalesce(list_id, list_name)) = 0
                    AND count(*) FILTER (
                        WHERE regexp_matches(items_json, '"item_list_(?:id|name)"[ ]*:[ ]*(?:"[^"]|[0-9])')
                    ) = 0
                    THEN 'lists'
            END,
            CASE WHEN count(*) FILTER (WHERE event_name = 'view_item') = 0 THEN 'view_item events' END,
            CASE
                WHEN
                    count(*) FILTER (WHERE event_name = 'purchase') > 0
                    AND count(*) FILTER (WHERE has_items AND event_name = 'purchase') = 0
                    AND count(*) FILTER (WHERE has_items) > 0
                    THEN 'items of purchases'
            END
        ) AS empty_columns,
        nullif(array_to_string(
            list_slice(list_sort(list(DISTINCT left(event_name, 40)) FILTER (WHERE NOT is_known_event)), 1, 10), ', '
        ), '') AS unknown_events
    FROM (
        SELECT *, regexp_matches(items_json, '[0-9A-Za-z]') AS has_items -- '[]' has none
        FROM cleaned.events
    ) AS events
    GROUP BY event_date, source
),
loaded AS (
    SELECT
        event_date,
        source,
        count(*) AS batches,
        sum(rows_accepted) AS rows_accepted,
        sum(rows_duplicate) AS rows_duplicate,
        sum(rows_quarantined) AS rows_quarantined
    FROM ops.batch_days
    WHERE rows_accepted + rows_duplicate + rows_quarantined > 0 -- none: the batch was withdrawn
    GROUP BY event_date, source
)
SELECT
    loaded.event_date AS date,
    loaded.source,
    batches,
    CAST(rows_accepted AS BIGINT) AS rows_accepted,
    CAST(rows_duplicate AS BIGINT) AS rows_duplicate,
    CAST(rows_quarantined AS BIGINT) AS rows_quarantined,
    CAST(rows_quarantined AS DOUBLE) / nullif(rows_accepted + rows_duplicate + rows_quarantined, 0) AS error_rate,
    day_columns.empty_columns,
    day_columns.unknown_events
FROM loaded
LEFT JOIN day_columns ON loaded.event_date = day_columns.event_date AND loaded.source = day_columns.source
