-- Grain: one row per order of the shop.
-- Rules: the latest accepted version. All versions of an order are of the day it was ordered. The order key
-- names client and transaction (macro order_key).
WITH ranked AS (
    SELECT
        order_id,
        event_date,
        order_key,
        customer_id,
        status,
        total,
        event_at,
        updated_at,
        row_number() OVER (
            PARTITION BY order_id ORDER BY updated_at DESC, arrived_at DESC, batch_id DESC, position DESC
        ) AS place
    FROM cleaned.order_versions
)
SELECT
    order_id,
    event_date AS order_date,
    order_key,
    order_client(order_key) AS client_id,
    order_number(order_key) AS transaction_id,
    customer_id,
    status,
    total,
    event_at AS ordered_at,
    updated_at
FROM ranked
WHERE place = 1
