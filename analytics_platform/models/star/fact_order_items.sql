-- Grain: one row per line of an order.
-- Rules: a line without quantity is one piece; a zero-revenue order has one line without product.
SELECT
    purchases.order_id,
    purchases.event_id,
    items.item_index,
    purchases.event_date AS order_date,
    date_key(purchases.event_date) AS date_key,
    surrogate_key(purchases.client_id) AS customer_key,
    surrogate_key(items.product_id) AS product_key,
    items.product_id,
    items.product_name,
    items.variant,
    items.price,
    items.quantity,
    money(items.price * coalesce(items.quantity, 1)) AS amount
FROM sessionized.purchases AS purchases
INNER JOIN cleaned.event_items AS items ON purchases.event_id = items.event_id
