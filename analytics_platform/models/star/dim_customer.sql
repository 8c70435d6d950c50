-- Grain: one row per client ever seen and version of its customer in the shop's database, and the unknown member.
-- Rules: built for the clients that occur in the days to build, by events (day rollups), by a version that was read or
-- by a first order; so it stays exact when an old day is replaced. Data of the client's last user from the users API is
-- that of the time when the client was last built.
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
        max_by({'country': country, 'city': city}, event_date) FILTER (
            WHERE coalesce(country, city) IS NOT NULL
        ) AS place,
        bool_and(is_bot) AS is_bot
    FROM sessionized.client_days
    WHERE client_id NOT LIKE 'erased:%'
    GROUP BY client_id
)
SELECT
    coalesce(versions.customer_key, client_key(clients.client_id)) AS customer_key,
    clients.client_id,
    coalesce(versions.version, 1) AS version,
    coalesce(versions.valid_from, CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ)) AS valid_from,
    coalesce(versions.valid_to, CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ)) AS valid_to,
    coalesce(versions.is_current, TRUE) AS is_current,
    versions.customer_id,
    latest_user.user_id,
    users.user_id IS NOT NULL AS is_customer,
    coalesce(versions.name, users.name) AS name,
    users.first_name,
    users.last_name,
    coalesce(versions.email, users.email) AS email,
    struct_extract(clients.place, 'country') AS country,
    CASE
        WHEN versions.client_id IS NOT NULL THEN versions.city
        ELSE coalesce(users.city, struct_extract(clients.place, 'city'))
    END AS city,
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
LEFT JOIN cleaned.customer_history AS versions ON clients.client_id = versions.client_id
UNION ALL
SELECT
    -1,
    '(not set)',
    1,
    CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ),
    CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ),
    TRUE,
    NULL,
    NULL,
    FALSE,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    0,
    0,
    FALSE
