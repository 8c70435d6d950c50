-- Grain: one row per line of an order.
-- Rules: the lines are those of the event that counts. A discount on the order is one on each line.
WITH lines AS (
    SELECT
        purchases.order_id,
        items.item_index,
        purchases.event_date,
        purchases.transaction_id,
        coalesce(items.product_id, names.product_id) AS product_id,
        items.variant,
        coalesce(items.quantity, 1) AS quantity,
        items.amount,
        purchases.revenue,
        sum(items.amount) OVER (PARTITION BY purchases.order_id) AS total
    FROM sessionized.purchases AS purchases
    INNER JOIN cleaned.event_items AS items ON purchases.event_id = items.event_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
)
SELECT
    order_id,
    item_index,
    event_date,
    transaction_id,
    product_id,
    variant,
    quantity,
    CASE WHEN revenue < total THEN money(amount * revenue / total) ELSE amount END AS paid
FROM lines
