-- Grain: one row per product that was seen. Bots are left out: a product that only they saw has zeros.
-- Rules: users are persons. Built from the session rollup, for the products that occur in the days to build. The click-through rate counts
-- clicks, or of a product without any click the views that a list led to. An order counts once, also
-- where two lists led to its lines of the product.
WITH totals AS (
    SELECT
        product_id,
        sum(impressions) AS impressions,
        count(DISTINCT person_id) AS unique_users,
        count(DISTINCT CASE WHEN views > 0 THEN person_id END) AS unique_viewers,
        sum(views) AS views,
        sum(views) FILTER (WHERE list_id IS NOT NULL) AS listed_views,
        sum(clicks) AS clicks,
        sum(add_to_carts) AS add_to_carts,
        count(DISTINCT CASE WHEN purchases > 0 THEN person_id END) AS buyers,
        sum(prices) AS prices,
        sum(priced) AS priced,
        min(first_at) AS first_seen_at
    FROM sessionized.product_interactions
    WHERE product_id IS NOT NULL
    GROUP BY product_id
),
products AS (
    SELECT product_id, max_by(product_name, event_date) FILTER (WHERE product_name IS NOT NULL) AS product_name
    FROM sessionized.product_days
    GROUP BY product_id
)
SELECT
    products.product_id,
    products.product_name,
    CAST(coalesce(totals.impressions, 0) AS BIGINT) AS impressions,
    coalesce(totals.unique_users, 0) AS unique_users,
    coalesce(totals.unique_viewers, 0) AS unique_viewers,
    CAST(coalesce(totals.views, 0) AS BIGINT) AS views,
    CAST(coalesce(totals.clicks, 0) AS BIGINT) AS clicks,
    CAST(coalesce(totals.add_to_carts, 0) AS BIGINT) AS add_to_carts,
    coalesce(sellers.orders, 0) AS purchases,
    coalesce(sellers.quantity, 0) AS quantity,
    CAST(coalesce(sellers.revenue, 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(sellers.refunds, 0) AS DECIMAL(18, 4)) AS refunds,
    CAST(coalesce(sellers.net_revenue, 0) AS DECIMAL(18, 4)) AS net_revenue,
    coalesce(sellers.unknown_amounts, 0) AS unknown_amounts,
    coalesce(sellers.unknown_refunds, 0) AS unknown_refunds,
    CAST(coalesce(nullif(totals.clicks, 0), totals.listed_views) AS DOUBLE) / nullif(totals.impressions, 0)
        AS click_through_rate,
    CAST(coalesce(sellers.orders, 0) AS DOUBLE) / nullif(totals.views, 0) AS view_to_purchase_rate,
    CAST(totals.buyers AS DOUBLE) / totals.unique_users AS conversion_rate,
    CAST(totals.prices AS DOUBLE) / nullif(totals.priced, 0) AS average_price,
    totals.first_seen_at
FROM products
LEFT JOIN totals ON products.product_id = totals.product_id
LEFT JOIN marts.top_sellers AS sellers ON products.product_id = sellers.product_id
