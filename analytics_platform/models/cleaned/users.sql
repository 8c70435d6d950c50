-- Grain: one row per customer: a user of the users API, or a customer of the shop's database.
-- Rules: the latest accepted version; of two in one answer the later one. An id that both have is one customer, of whom
-- the users API tells.
WITH versions AS (
    SELECT
        user_id,
        name,
        honorific,
        first_name,
        last_name,
        suffix,
        username,
        email,
        phone,
        website,
        street,
        suite,
        city,
        zipcode,
        latitude,
        longitude,
        company_name,
        arrived_at,
        arrived_at AS changed_at,
        1 AS is_user,
        batch_id,
        position
    FROM cleaned.user_versions
    UNION ALL
    SELECT
        customer_id AS user_id,
        name,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        lower(email) AS email,
        NULL,
        NULL,
        NULL,
        NULL,
        city,
        NULL,
        NULL,
        NULL,
        NULL,
        arrived_at,
        updated_at AS changed_at,
        0 AS is_user,
        batch_id,
        position
    FROM cleaned.customer_versions
),
ranked AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY user_id ORDER BY is_user DESC, changed_at DESC, arrived_at DESC, batch_id DESC, position DESC
        ) AS place
    FROM versions
)
SELECT
    user_id,
    name,
    honorific,
    first_name,
    last_name,
    suffix,
    username,
    email,
    phone,
    website,
    street,
    suite,
    city,
    zipcode,
    latitude,
    longitude,
    company_name,
    arrived_at
FROM ranked
WHERE place = 1
