-- Grain: one row per person: who was seen, who is known, who bought; and the unknown member.
-- Rules: of several known customers who are one person the one with the smallest id gives name, e-mail and place.
WITH seen AS (
    SELECT
        person_id,
        min(first_at) AS first_seen_at,
        max(last_at) AS last_seen_at,
        sum(sessions) AS sessions,
        max_by({'country': country, 'city': city}, event_date) FILTER (
            WHERE coalesce(country, city) IS NOT NULL
        ) AS place,
        bool_and(is_bot) AS is_bot
    FROM sessionized.person_days
    WHERE person_id NOT LIKE 'erased:%'
    GROUP BY person_id
),
bought AS (
    SELECT
        person_id,
        sum(orders) AS orders,
        min(first_order_date) AS first_order_date
    FROM sessionized.customer_months
    WHERE person_id NOT LIKE 'erased:%'
    GROUP BY person_id
),
known AS (
    SELECT
        coalesce(members.person_id, 'user:' || users.user_id) AS person_id,
        min_by({'name': users.name, 'email': users.email, 'city': users.city}, users.user_id) AS data
    FROM cleaned.users AS users
    LEFT JOIN cleaned.person_members AS members ON users.user_id = members.user_id
    GROUP BY coalesce(members.person_id, 'user:' || users.user_id)
),
ids AS (
    SELECT
        person_id,
        count(*) FILTER (WHERE client_id <> '') AS clients,
        count(*) FILTER (WHERE user_id <> '') AS users
    FROM cleaned.person_members
    GROUP BY person_id
),
persons AS (
    SELECT person_id FROM seen
    UNION
    SELECT person_id FROM bought
    UNION
    SELECT person_id FROM known
)
SELECT
    client_key(persons.person_id) AS person_key,
    persons.person_id,
    CASE WHEN persons.person_id LIKE 'user:%' THEN substr(persons.person_id, 6) END AS user_id,
    coalesce(ids.clients, CASE WHEN persons.person_id LIKE 'user:%' THEN 0 ELSE 1 END) AS clients,
    coalesce(ids.users, CASE WHEN persons.person_id LIKE 'user:%' THEN 1 ELSE 0 END) AS users,
    known.person_id IS NOT NULL AS is_known,
    coalesce(bought.orders, 0) > 0 AS is_customer,
    struct_extract(known.data, 'name') AS name,
    struct_extract(known.data, 'email') AS email,
    struct_extract(seen.place, 'country') AS country,
    coalesce(struct_extract(known.data, 'city'), struct_extract(seen.place, 'city')) AS city,
    seen.first_seen_at,
    seen.last_seen_at,
    CAST(coalesce(seen.sessions, 0) AS BIGINT) AS sessions,
    CAST(coalesce(bought.orders, 0) AS BIGINT) AS orders,
    bought.first_order_date,
    coalesce(seen.is_bot, FALSE) AS is_bot
FROM persons
LEFT JOIN seen ON persons.person_id = seen.person_id
LEFT JOIN bought ON persons.person_id = bought.person_id
LEFT JOIN known ON persons.person_id = known.person_id
LEFT JOIN ids ON persons.person_id = ids.person_id
UNION ALL
SELECT
    -1,
    '(not set)',
    NULL,
    0,
    0,
    FALSE,
    FALSE,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    NULL,
    0,
    0,
    NULL,
    FALSE
