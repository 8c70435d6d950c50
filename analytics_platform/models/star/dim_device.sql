-- Grain: one row per combination of device type, operating system and browser ever seen, and the unknown member.
SELECT DISTINCT
    surrogate_key(
        device_type || '|' || coalesce(os, 'unknown') || '|' || coalesce(browser, 'unknown')
    ) AS device_key,
    device_type,
    coalesce(os, 'unknown') AS os,
    coalesce(browser, 'unknown') AS browser
FROM cleaned.events
WHERE NOT (device_type = 'unknown' AND os IS NULL AND browser IS NULL)
UNION ALL
SELECT -1, 'unknown', 'unknown', 'unknown'
