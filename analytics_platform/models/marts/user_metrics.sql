-- Grain: one row per customer (a user that the users API told of).
-- Rules: users that events name and the API does not are no customers (ops.orphans); they are here as soon as it does.
SELECT
    users.user_id,
    users.name,
    coalesce(totals.interactions, 0) AS interactions,
    totals.favourite_product,
    coalesce(totals.favourite_views, 0) AS favourite_views,
    totals.first_seen_at,
    totals.last_active_at,
    coalesce(totals.sessions, 0) AS sessions,
    coalesce(totals.orders, 0) AS orders,
    CAST(coalesce(totals.revenue, 0) AS DECIMAL(18, 4)) AS revenue
FROM cleaned.users AS users
LEFT JOIN sessionized.user_totals AS totals ON users.user_id = totals.user_id
