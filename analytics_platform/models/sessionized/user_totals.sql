-- Grain: one row per user in any event, customer or not.
-- Rules: built from the day rollup, for the users that occur in the days to build. The favourite product is the one
-- viewed most often (view_item); among equals the one viewed latest, then the smallest name.
WITH totals AS (
    SELECT
        user_id,
        sum(interactions) AS interactions,
        sum(log_interactions) AS log_interactions,
        sum(clicks) AS clicks,
        sum(sessions) AS sessions,
        sum(orders) AS orders,
        sum(revenue) AS revenue,
        coalesce(sum(unknown_amounts), 0) AS unknown_amounts,
        min(first_at) AS first_seen_at,
        max(last_at) AS last_active_at
    FROM sessionized.user_activity
    WHERE product = ''
    GROUP BY user_id
),
viewed AS (
    SELECT
        user_id,
        product,
        coalesce(max_by(product_name, last_viewed_at), product) AS product_name,
        sum(views) AS views,
        max(last_viewed_at) AS last_viewed_at
    FROM sessionized.user_activity
    WHERE product <> '' AND views > 0
    GROUP BY user_id, product
),
ranked AS (
    SELECT
        user_id,
        product_name,
        views,
        row_number() OVER (
            PARTITION BY user_id ORDER BY views DESC, last_viewed_at DESC, product_name, product
        ) AS place
    FROM viewed
)
SELECT
    totals.user_id,
    CAST(totals.interactions AS BIGINT) AS interactions,
    CAST(totals.log_interactions AS BIGINT) AS log_interactions,
    CAST(totals.clicks AS BIGINT) AS clicks,
    CAST(totals.sessions AS BIGINT) AS sessions,
    CAST(totals.orders AS BIGINT) AS orders,
    CAST(totals.revenue AS DECIMAL(18, 4)) AS revenue,
    ranked.product_name AS favourite_product,
    CAST(ranked.views AS BIGINT) AS favourite_views,
    totals.first_seen_at,
    totals.last_active_at,
    CAST(totals.unknown_amounts AS BIGINT) AS unknown_amounts
FROM totals
LEFT JOIN ranked ON totals.user_id = ranked.user_id AND ranked.place = 1
