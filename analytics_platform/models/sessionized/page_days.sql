-- Grain: one row per page and day on which events name it.
-- Rules: a page is a host and a path. Its title is the last one that events name, of several at the same time the last by
-- the alphabet; events of bots name none.
SELECT
    page_key(page_host, page_path) AS page_key,
    event_date,
    page_host AS host,
    page_path AS path,
    struct_extract(
        max({'at': event_at, 'title': page_title}) FILTER (WHERE page_title IS NOT NULL AND NOT coalesce(is_bot, FALSE)),
        'title'
    ) AS title,
    min(event_at) AS first_at,
    max(event_at) AS last_at
FROM cleaned.events
WHERE page_path IS NOT NULL
GROUP BY page_host, page_path, event_date
