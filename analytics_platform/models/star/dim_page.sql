-- Grain: one row per page ever seen with its latest title, and the unknown member.
-- Rules: built from day rollups, for the pages that occur in the days to build.
SELECT
    page_key,
    any_value(host) AS host,
    any_value(path) AS path,
    max_by(title, event_date) FILTER (WHERE title IS NOT NULL) AS title,
    min(first_at) AS first_seen_at,
    max(last_at) AS last_seen_at
FROM sessionized.page_days
GROUP BY page_key
UNION ALL
SELECT -1, NULL, '(not set)', NULL, NULL, NULL
