-- Grain: one row per product ever seen in events and version of it in the shop's database, one per variant of a product,
-- and the unknown member.
-- Rules: built for the products that occur in the days to build, in events (day rollups) or in a version that was read.
-- A variant has its own price, else nothing of its own, and is never current: a product is, once.
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
),
listed AS (
    SELECT product_id, event_date, first_at, last_at, unnest(variants_of(variants)) AS variant
    FROM sessionized.product_days
    WHERE variants IS NOT NULL
),
variants AS (
    SELECT
        product_id,
        struct_extract(variant, 'variant') AS variant,
        max_by(struct_extract(variant, 'price'), event_date) FILTER (
            WHERE struct_extract(variant, 'price') IS NOT NULL
        ) AS price
    FROM listed
    GROUP BY product_id, struct_extract(variant, 'variant')
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
    seen.last_seen_at,
    NULL AS variant,
    NULL AS parent_product_key
FROM seen
LEFT JOIN cleaned.product_history AS versions ON seen.product_id = versions.product_id
UNION ALL
SELECT
    variant_key(variants.product_id, variants.variant),
    variants.product_id,
    1,
    CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ),
    CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ),
    FALSE,
    coalesce(versions.product_name, seen.product_name),
    seen.brand,
    coalesce(versions.category, seen.category),
    CAST(variants.price AS DECIMAL(18, 4)),
    NULL,
    NULL,
    variants.variant,
    surrogate_key(variants.product_id)
FROM variants
INNER JOIN seen ON variants.product_id = seen.product_id
LEFT JOIN cleaned.product_history AS versions ON variants.product_id = versions.product_id AND versions.is_current
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
    NULL,
    NULL,
    NULL
