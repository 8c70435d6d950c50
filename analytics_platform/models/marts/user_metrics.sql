-- Grain: one row per customer (cleaned.users).
-- Rules: revenue is missing where no order has a known amount. Other users in events are orphans (ops.orphans), and are added as soon as the API or the shop has them.
SELECT
    users.user_id,
    users.name,
    coalesce(totals.interactions, 0) AS interactions,
    coalesce(totals.clicks, 0) AS clicks,
    totals.favourite_product,
    coalesce(totals.favourite_views, 0) AS favourite_views,
    totals.first_seen_at,
    totals.last_active_at,
    coalesce(totals.sessions, 0) AS sessions,
    coalesce(totals.orders, 0) AS orders,
    CASE
        WHEN coalesce(totals.orders, 0) = 0 OR totals.orders > coalesce(totals.unknown_amounts, 0)
            THEN CAST(coalesce(totals.revenue, 0) AS DECIMAL(18, 4))
    END AS revenue,
    coalesce(totals.unknown_amounts, 0) AS unknown_amounts
FROM cleaned.users AS users
LEFT JOIN sessionized.user_totals AS totals ON users.user_id = totals.user_id
