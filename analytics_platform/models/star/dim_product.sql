-- Grain: one row per product ever seen with its latest attributes, and the unknown member.
-- Rules: made from day rollups, for the products that the days that are built touch.
SELECT
    surrogate_key(product_id) AS product_key,
    product_id,
    max_by(product_name, event_date) FILTER (WHERE product_name IS NOT NULL) AS product_name,
    max_by(brand, event_date) FILTER (WHERE brand IS NOT NULL) AS brand,
    max_by(category, event_date) FILTER (WHERE category IS NOT NULL) AS category,
    max_by(price, event_date) FILTER (WHERE price IS NOT NULL) AS price,
    min(first_at) AS first_seen_at,
    max(last_at) AS last_seen_at
FROM sessionized.product_days
GROUP BY product_id
UNION ALL
SELECT -1, 'unknown', NULL, NULL, NULL, NULL, NULL, NULL
