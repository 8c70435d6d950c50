-- Grain: one row per order: who placed it, and which order of the shop's database it is.
-- Rules: of several orders there with its client and transaction id the first counts. The customer is the one that the
-- shop's database has of the order; else the user of its events, else the user of its session. The person is that of the
-- customer, else that of the client.
WITH named AS (
    SELECT
        purchases.order_id,
        purchases.event_date,
        purchases.client_id,
        purchases.user_id,
        min(sessions.user_id) AS session_user_id,
        min(surrogate_key(sessions.channel)) AS channel_key,
        min(device_key(sessions.device_type, sessions.os, sessions.browser)) AS device_key,
        min_by(
            {'order_id': shop.order_id, 'status': shop.status, 'customer_id': nullif(shop.customer_id, '-1')}, shop.order_id
        ) AS shop
    FROM sessionized.purchases AS purchases
    LEFT JOIN sessionized.session_events AS entries ON purchases.event_id = entries.event_id
    LEFT JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    LEFT JOIN cleaned.orders AS shop
        ON purchases.client_id = shop.client_id
        AND purchases.transaction_id = shop.transaction_id
        AND shop.order_date BETWEEN purchases.event_date - 1 AND purchases.event_date + 1
    GROUP BY purchases.order_id, purchases.event_date, purchases.client_id, purchases.user_id
),
placed_by AS (
    SELECT
        order_id,
        event_date,
        client_id,
        coalesce(struct_extract(shop, 'customer_id'), user_id, session_user_id) AS user_id,
        struct_extract(shop, 'order_id') AS shop_order_id,
        struct_extract(shop, 'status') AS status,
        channel_key,
        device_key
    FROM named
)
SELECT
    placed_by.order_id,
    placed_by.event_date,
    placed_by.client_id,
    placed_by.user_id,
    coalesce(
        of_user.person_id, 'user:' || placed_by.user_id, of_client.person_id, placed_by.client_id
    ) AS person_id,
    placed_by.shop_order_id,
    placed_by.status,
    placed_by.channel_key,
    placed_by.device_key
FROM placed_by
LEFT JOIN cleaned.person_members AS of_user ON placed_by.user_id = of_user.user_id
LEFT JOIN cleaned.person_members AS of_client ON placed_by.client_id = of_client.client_id
