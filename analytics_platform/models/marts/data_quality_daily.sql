-- Grain: one row per day of events and source, over all batches with events of the day.
-- Rules: a source that knows users only has user:<user_id> in place of a client_id.
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
            END,
            CASE
                WHEN count(*) FILTER (WHERE event_name = 'purchase') > 0 AND count(transaction_id) = 0
                    THEN 'transaction_id of purchases'
            END,
            CASE WHEN count(amount) > 0 AND count(currency) = 0 THEN 'currency of amounts' END,
            CASE WHEN count(user_id) = 0 THEN 'user_id' END,
            CASE WHEN count(*) FILTER (WHERE client_id NOT LIKE 'user:%') = 0 THEN 'client_id' END,
            CASE
                WHEN count(*) FILTER (WHERE event_name IN ('page_view', 'screen_view')) = 0 THEN 'page_view events'
            END,
            CASE WHEN count(*) FILTER (WHERE event_name = 'view_item_list') = 0 THEN 'view_item_list events' END,
            CASE WHEN count(*) FILTER (WHERE event_name = 'select_item') = 0 THEN 'select_item events' END,
            CASE WHEN count(*) FILTER (WHERE event_name = 'add_to_cart') = 0 THEN 'add_to_cart events' END,
            CASE WHEN count(*) FILTER (WHERE event_name = 'begin_checkout') = 0 THEN 'begin_checkout events' END,
            CASE
                WHEN count(*) FILTER (WHERE event_name = 'purchase' AND NOT is_refund) = 0 THEN 'purchase events'
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
