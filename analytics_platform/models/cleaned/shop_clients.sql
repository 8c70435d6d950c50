-- Grain: one row per client and customer of the shop who ordered from it.
-- Rules: built for the clients that occur in the days to build.
SELECT
    client_id,
    customer_id,
    min(order_date) AS linked_date
FROM cleaned.orders
WHERE client_id IS NOT NULL
GROUP BY client_id, customer_id
