-- Grain: one row per day, product and other product of one purchase event; and one per day and product with itself,
-- which counts all its orders.
-- Rules: an order counts once, by its first event. Pairs without counted orders are kept with zero, so that no row
-- disappears when late events change what counts. Purchases of more than 100 products are left out: they do not show
-- what belongs together, and the number of their pairs grows quadratically.
WITH bought AS (
    SELECT event_id
    FROM cleaned.events
    WHERE event_name = 'purchase'
),
lines AS (
    SELECT DISTINCT
        items.event_id,
        items.event_date,
        coalesce(items.product_id, names.product_id) AS product_id
    FROM cleaned.event_items AS items
    INNER JOIN bought ON items.event_id = bought.event_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
    WHERE coalesce(items.product_id, names.product_id) IS NOT NULL
),
sized AS (
    SELECT
        event_id,
        event_date,
        product_id,
        count(*) OVER (PARTITION BY event_id) AS products
    FROM lines
)
SELECT
    one.event_date,
    one.product_id,
    other.product_id AS other_product_id,
    count(purchases.event_id) AS orders
FROM sized AS one
INNER JOIN sized AS other ON one.event_id = other.event_id
LEFT JOIN sessionized.purchases AS purchases ON one.event_id = purchases.event_id
WHERE one.products <= 100
GROUP BY one.event_date, one.product_id, other.product_id
