-- Grain: one row per product of the shop and period in which its name, category and price were the same.
-- Rules: built for the products that occur in the days to build. A version that differs from the one before it only in
-- other columns, such as the stock, belongs to the same period. The first period reaches back to the beginning.
WITH ordered AS (
    SELECT
        product_id,
        name,
        category,
        price,
        updated_at,
        event_date,
        row_number() OVER (PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position) AS place,
        lag(name) OVER (PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position) AS name_before,
        lag(category) OVER (
            PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position
        ) AS category_before,
        lag(price) OVER (PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position) AS price_before
    FROM cleaned.product_versions
),
numbered AS (
    SELECT
        product_id,
        name,
        category,
        price,
        updated_at,
        event_date,
        row_number() OVER (PARTITION BY product_id ORDER BY place) AS version,
        lead(updated_at) OVER (PARTITION BY product_id ORDER BY place) AS updated_next
    FROM ordered
    WHERE place = 1 OR name <> name_before OR category <> category_before OR price <> price_before
)
SELECT
    product_id,
    version,
    CASE
        WHEN version = 1 THEN surrogate_key(product_id)
        ELSE surrogate_key(md5(product_id) || '|' || CAST(version AS VARCHAR))
    END AS product_key,
    name AS product_name,
    category,
    price,
    CASE WHEN version = 1 THEN CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ) ELSE updated_at END AS valid_from,
    coalesce(updated_next, CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ)) AS valid_to,
    updated_next IS NULL AS is_current,
    event_date AS read_date
FROM numbered
