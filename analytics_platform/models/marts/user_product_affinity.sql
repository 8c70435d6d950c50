-- Grain: one row per user and product.
-- Rules: built from the day rollup, for the users that occur in the days to build. Rank 1 is the favourite: viewed most
-- often; among equals the one viewed latest, then the smallest name. Users who are not customers are included.
WITH totals AS (
    SELECT
        user_id,
        product,
        coalesce(max_by(product_name, last_at), max(product_name)) AS product_name,
        sum(interactions) AS interactions,
        sum(views) AS views,
        sum(add_to_carts) AS add_to_carts,
        sum(orders) AS orders,
        min(first_at) AS first_at,
        max(last_at) AS last_at,
        max(last_viewed_at) AS last_viewed_at
    FROM sessionized.user_activity
    WHERE product <> ''
    GROUP BY user_id, product
)
SELECT
    user_id,
    product,
    product_name,
    row_number() OVER (
        PARTITION BY user_id
        ORDER BY views DESC, coalesce(last_viewed_at, first_at) DESC, coalesce(product_name, product), product
    ) AS rank,
    CAST(interactions AS BIGINT) AS interactions,
    CAST(views AS BIGINT) AS views,
    CAST(add_to_carts AS BIGINT) AS add_to_carts,
    CAST(orders AS BIGINT) AS orders,
    CAST(views AS DOUBLE) / nullif(sum(views) OVER (PARTITION BY user_id), 0) AS share_of_views,
    first_at AS first_seen_at,
    last_at AS last_seen_at
FROM totals
