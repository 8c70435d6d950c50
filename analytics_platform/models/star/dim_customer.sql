-- Grain: one row per client ever seen, and the unknown member.
-- Rules: made from day rollups, for the clients that the days that are built touch; so it stays exact when an old day
-- is replaced. What the users API tells of the client's last user is as it was when the client was last built.
WITH latest_user AS (
    SELECT
        client_id,
        user_id,
        row_number() OVER (PARTITION BY client_id ORDER BY event_date DESC) AS latest
    FROM sessionized.client_days
    WHERE user_id IS NOT NULL
),
clients AS (
    SELECT
        client_id,
        min(first_at) AS first_seen_at,
        max(last_at) AS last_seen_at,
        count(*) AS active_days,
        sum(events) AS events,
        bool_or(is_bot) AS is_bot
    FROM sessionized.client_days
    GROUP BY client_id
)
SELECT
    surrogate_key(clients.client_id) AS customer_key,
    clients.client_id,
    latest_user.user_id,
    users.user_id IS NOT NULL AS is_customer,
    users.name,
    users.first_name,
    users.last_name,
    users.email,
    users.city,
    users.company_name,
    users.latitude,
    users.longitude,
    clients.first_seen_at,
    clients.last_seen_at,
    clients.active_days,
    CAST(clients.events AS BIGINT) AS events,
    clients.is_bot
FROM clients
LEFT JOIN latest_user ON clients.client_id = latest_user.client_id AND latest_user.latest = 1
LEFT JOIN cleaned.users AS users ON latest_user.user_id = users.user_id
UNION ALL
SELECT -1, 'unknown', NULL, FALSE, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, FALSE
