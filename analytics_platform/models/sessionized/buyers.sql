-- Grain: one row per order: who placed it.
-- Rules: the customer is the one that the shop's database has of the order, whose key there is the client and the
-- transaction id; else the user of its events, else the user of its session. The person is that of the customer, else
-- that of the client.
WITH shop AS (
    SELECT
        client_id,
        transaction_id,
        order_date,
        nullif(min(customer_id), '-1') AS customer_id
    FROM cleaned.orders
    GROUP BY client_id, transaction_id, order_date
),
named AS (
    SELECT
        purchases.order_id,
        purchases.event_date,
        purchases.client_id,
        coalesce(min(shop.customer_id), purchases.user_id, min(sessions.user_id)) AS user_id
    FROM sessionized.purchases AS purchases
    LEFT JOIN sessionized.session_events AS entries ON purchases.event_id = entries.event_id
    LEFT JOIN sessionized.sessions AS sessions ON entries.session_id = sessions.session_id
    LEFT JOIN shop
        ON purchases.client_id = shop.client_id
        AND purchases.transaction_id = shop.transaction_id
        AND shop.order_date BETWEEN purchases.event_date - 1 AND purchases.event_date + 1
    GROUP BY purchases.order_id, purchases.event_date, purchases.client_id, purchases.user_id
)
SELECT
    named.order_id,
    named.event_date,
    named.client_id,
    named.user_id,
    coalesce(
        of_user.person_id, 'user:' || named.user_id, of_client.person_id, named.client_id
    ) AS person_id
FROM named
LEFT JOIN cleaned.person_members AS of_user ON named.user_id = of_user.user_id
LEFT JOIN cleaned.person_members AS of_client ON named.client_id = of_client.client_id
