-- Grain: one row per client and customer of the shop who ordered from it.
-- Rules: made for the clients that the days that are built touch.
SELECT
    client_id,
    customer_id,
    min(order_date) AS linked_date
FROM cleaned.orders
WHERE client_id IS NOT NULL
GROUP BY client_id, customer_id
