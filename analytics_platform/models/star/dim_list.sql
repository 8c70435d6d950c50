-- Grain: one row per product list ever seen with its latest name, and the unknown member.
-- Rules: built from day rollups, for the lists that occur in the days to build. No list can be called as the unknown
-- member is, since `(not set)` is a missing value in every source.
SELECT
    surrogate_key(list_id) AS list_key,
    list_id,
    max_by(list_name, event_date) FILTER (WHERE list_name IS NOT NULL) AS list_name,
    min(first_at) AS first_seen_at,
    max(last_at) AS last_seen_at
FROM sessionized.list_days
GROUP BY list_id
UNION ALL
SELECT -1, '(not set)', NULL, NULL, NULL
