-- Grain: one row per line of an order of the shop.
-- Rules: the latest accepted version.
WITH ranked AS (
    SELECT
        order_id,
        line,
        event_date,
        product_id,
        variant,
        quantity,
        unit_price,
        row_number() OVER (
            PARTITION BY order_id, line ORDER BY updated_at DESC, arrived_at DESC, batch_id DESC, position DESC
        ) AS place
    FROM cleaned.order_item_versions
)
SELECT
    order_id,
    line,
    event_date AS order_date,
    product_id,
    variant,
    quantity,
    unit_price,
    CAST(unit_price * quantity AS DECIMAL(18, 4)) AS amount
FROM ranked
WHERE place = 1
