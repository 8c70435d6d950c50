-- Grain: one row per combination of device type, operating system and browser, and the unknown member.
SELECT DISTINCT
    surrogate_key(device_type || '|' || coalesce(os, 'unknown') || '|' || coalesce(browser, 'unknown')) AS device_key,
    device_type,
    coalesce(os, 'unknown') AS os,
    coalesce(browser, 'unknown') AS browser
FROM cleaned.user_agents
UNION ALL
SELECT -1, 'unknown', 'unknown', 'unknown'
