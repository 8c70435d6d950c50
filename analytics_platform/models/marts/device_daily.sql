-- Grain: one row per day and kind of device. Bots are left out.
SELECT
    sessions.session_date AS date,
    devices.device_type,
    count(*) AS sessions,
    count(*) FILTER (WHERE sessions.is_bounce) AS bounces,
    CAST(sum(sessions.orders) AS BIGINT) AS orders,
    CAST(sum(sessions.revenue) AS DECIMAL(18, 4)) AS revenue,
    CAST(sum(sessions.unknown_amounts) AS BIGINT) AS unknown_amounts,
    CAST(count(*) FILTER (WHERE sessions.orders > 0) AS DOUBLE) / count(*) AS conversion_rate
FROM star.fact_sessions AS sessions
INNER JOIN star.dim_device AS devices ON sessions.device_key = devices.device_key
WHERE NOT sessions.is_bot
GROUP BY sessions.session_date, devices.device_type
