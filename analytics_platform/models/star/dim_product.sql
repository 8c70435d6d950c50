-- Grain: one row per product ever seen in events and version of it in the shop's database, and the unknown member.
-- Rules: built for the products that occur in the days to build, in events (day rollups) or in a version that was read.
WITH seen AS (
    SELECT
        product_id,
        max_by(product_name, event_date) FILTER (WHERE product_name IS NOT NULL) AS product_name,
        max_by(brand, event_date) FILTER (WHERE brand IS NOT NULL) AS brand,
        max_by(category, event_date) FILTER (WHERE category IS NOT NULL) AS category,
        max_by(price, event_date) FILTER (WHERE price IS NOT NULL) AS price,
        min(first_at) AS first_seen_at,
        max(last_at) AS last_seen_at
    FROM sessionized.product_days
    GROUP BY product_id
)
SELECT
    coalesce(versions.product_key, surrogate_key(seen.product_id)) AS product_key,
    seen.product_id,
    coalesce(versions.version, 1) AS version,
    coalesce(versions.valid_from, CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ)) AS valid_from,
    coalesce(versions.valid_to, CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ)) AS valid_to,
    coalesce(versions.is_current, TRUE) AS is_current,
    coalesce(versions.product_name, seen.product_name) AS product_name,
    seen.brand,
    coalesce(versions.category, seen.category) AS category,
    coalesce(versions.price, seen.price) AS price,
    seen.first_seen_at,
    seen.last_seen_at
FROM seen
LEFT JOIN cleaned.product_history AS versions ON seen.product_id = versions.product_id
UNION ALL
SELECT
    -1,
    '(not set)',
    1,
    CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ),
    CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ),
    TRUE,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL
