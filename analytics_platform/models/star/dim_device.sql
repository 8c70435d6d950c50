-- Grain: one row per combination of device type, operating system and browser ever seen, and the unknown member.
SELECT DISTINCT
    device_key(device_type, os, browser) AS device_key,
    device_type,
    coalesce(os, '(not set)') AS os,
    coalesce(browser, '(not set)') AS browser
FROM cleaned.events
WHERE NOT (device_type = 'unknown' AND os IS NULL AND browser IS NULL)
UNION ALL
SELECT -1, 'unknown', '(not set)', '(not set)'
