-- Grain: one row per client that customers of the shop ordered from, and period in which their data did not change.
-- Rules: as product_history, over the versions of all customers of the client. New links and new versions only append
-- versions, so no version number is ever removed. Built for the clients that occur in the days to build, by a version
-- that was read or by a first order, at the same time as dim_customer.
WITH touched AS (
    SELECT DISTINCT links.client_id
    FROM cleaned.shop_clients AS links
    INNER JOIN cleaned.customer_versions AS versions ON links.customer_id = versions.customer_id
    WHERE
        links.linked_date BETWEEN $first_day AND $last_day
        OR versions.event_date BETWEEN $first_day AND $last_day
),
ordered AS (
    SELECT
        links.client_id,
        links.linked_date,
        versions.customer_id,
        versions.name,
        versions.email,
        coalesce(versions.city, '') AS city,
        versions.updated_at,
        versions.event_date,
        row_number() OVER (
            PARTITION BY links.client_id
            ORDER BY versions.updated_at, versions.arrived_at, versions.batch_id, versions.position
        ) AS place
    FROM cleaned.shop_clients AS links
    INNER JOIN touched ON links.client_id = touched.client_id
    INNER JOIN cleaned.customer_versions AS versions ON links.customer_id = versions.customer_id
),
compared AS (
    SELECT
        client_id,
        linked_date,
        customer_id,
        name,
        email,
        city,
        updated_at,
        event_date,
        place,
        lag(customer_id) OVER (PARTITION BY client_id ORDER BY place) AS customer_before,
        lag(name) OVER (PARTITION BY client_id ORDER BY place) AS name_before,
        lag(email) OVER (PARTITION BY client_id ORDER BY place) AS email_before,
        lag(city) OVER (PARTITION BY client_id ORDER BY place) AS city_before
    FROM ordered
),
numbered AS (
    SELECT
        client_id,
        linked_date,
        customer_id,
        name,
        email,
        city,
        updated_at,
        event_date,
        row_number() OVER (PARTITION BY client_id ORDER BY place) AS version,
        lead(updated_at) OVER (PARTITION BY client_id ORDER BY place) AS updated_next
    FROM compared
    WHERE
        place = 1
        OR customer_id <> customer_before
        OR name <> name_before
        OR email <> email_before
        OR city <> city_before
)
SELECT
    client_id,
    version,
    CASE
        WHEN version = 1 THEN client_key(client_id)
        ELSE surrogate_key(md5(client_id) || '|' || CAST(version AS VARCHAR))
    END AS customer_key,
    customer_id,
    name,
    email,
    nullif(city, '') AS city,
    CASE WHEN version = 1 THEN CAST('1900-01-01 00:00:00+00' AS TIMESTAMPTZ) ELSE updated_at END AS valid_from,
    coalesce(updated_next, CAST('9999-12-31 00:00:00+00' AS TIMESTAMPTZ)) AS valid_to,
    updated_next IS NULL AS is_current,
    event_date AS read_date,
    linked_date
FROM numbered
