-- Grain: one row per day of events and source, over all batches with events of the day.
SELECT
    event_date AS date,
    source,
    count(*) AS batches,
    CAST(sum(rows_accepted) AS BIGINT) AS rows_accepted,
    CAST(sum(rows_duplicate) AS BIGINT) AS rows_duplicate,
    CAST(sum(rows_quarantined) AS BIGINT) AS rows_quarantined,
    CAST(sum(rows_quarantined) AS DOUBLE)
    / nullif(sum(rows_accepted) + sum(rows_duplicate) + sum(rows_quarantined), 0) AS error_rate
FROM ops.batch_days
WHERE rows_accepted + rows_duplicate + rows_quarantined > 0 -- none: the batch was withdrawn
GROUP BY event_date, source
