-- Grain: one row per name that only one product has.
-- Rules: names are those of items with an id, on all days, and those of the shop's database, in all versions.
WITH named AS (
    SELECT product_name, product_id
    FROM cleaned.item_names
    WHERE product_id <> ''
    UNION
    SELECT name, product_id
    FROM cleaned.product_versions
)
SELECT
    product_name,
    min(product_id) AS product_id
FROM named
GROUP BY product_name
HAVING count(*) = 1
