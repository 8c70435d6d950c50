-- Grain: one row per product list that was seen. Bots are left out: a list that only they saw has zeros.
-- Rules: users are persons. Built from the session rollup, for the lists that occur in the days to build. Rates count sessions, so that
-- none is above 1, except the click-through rate, which counts items: clicks, or views of a list without any click.
WITH totals AS (
    SELECT
        list_id,
        sum(impressions) AS impressions,
        count(DISTINCT person_id) AS unique_users,
        count(DISTINCT session_id) AS sessions,
        sum(clicks) AS clicks,
        sum(views) AS views,
        sum(add_to_carts) AS add_to_carts,
        sum(purchases) AS purchases,
        count(DISTINCT product_id) AS unique_products,
        sum(revenue) AS revenue,
        sum(unknown_amounts) AS unknown_amounts,
        count(DISTINCT CASE WHEN clicks + views + add_to_carts + purchases > 0 THEN session_id END) AS engaged_sessions,
        count(DISTINCT CASE WHEN purchases > 0 THEN session_id END) AS buying_sessions,
        count(DISTINCT CASE WHEN is_bounce THEN session_id END) AS bounces
    FROM sessionized.product_interactions
    WHERE list_id IS NOT NULL
    GROUP BY list_id
),
lists AS (
    SELECT list_id, max_by(list_name, event_date) FILTER (WHERE list_name IS NOT NULL) AS list_name
    FROM sessionized.list_days
    GROUP BY list_id
)
SELECT
    lists.list_id,
    lists.list_name,
    CAST(coalesce(totals.impressions, 0) AS BIGINT) AS impressions,
    coalesce(totals.unique_users, 0) AS unique_users,
    coalesce(totals.sessions, 0) AS sessions,
    CAST(coalesce(totals.clicks, 0) AS BIGINT) AS clicks,
    CAST(coalesce(totals.views, 0) AS BIGINT) AS views,
    CAST(coalesce(totals.add_to_carts, 0) AS BIGINT) AS add_to_carts,
    CAST(coalesce(totals.purchases, 0) AS BIGINT) AS purchases,
    coalesce(totals.unique_products, 0) AS unique_products,
    CAST(coalesce(totals.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(totals.unknown_amounts, 0) AS BIGINT) AS unknown_amounts,
    CAST(totals.revenue AS DOUBLE) / totals.unique_users AS average_revenue_per_user,
    CAST(coalesce(nullif(totals.clicks, 0), totals.views) AS DOUBLE) / nullif(totals.impressions, 0)
        AS click_through_rate,
    CAST(totals.engaged_sessions AS DOUBLE) / totals.sessions AS engagement_rate,
    CAST(totals.buying_sessions AS DOUBLE) / totals.sessions AS conversion_rate,
    CAST(totals.bounces AS DOUBLE) / totals.sessions AS bounce_rate
FROM lists
LEFT JOIN totals ON lists.list_id = totals.list_id
