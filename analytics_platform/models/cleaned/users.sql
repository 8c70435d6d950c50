-- Grain: one row per user.
-- Rules: the latest accepted version; of two in one answer the later one.
WITH ranked AS (
    SELECT
        CAST(user_id AS VARCHAR) AS user_id,
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
        row_number() OVER (PARTITION BY user_id ORDER BY arrived_at DESC, batch_id DESC, position DESC) AS place
    FROM cleaned.user_versions
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
