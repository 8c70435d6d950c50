-- Grain: one row per refund (item_index -1), and one per item that it gives back.
-- Rules: the order is the last one with the transaction id before the refund, of one of its clients or of its user. A
-- refund without value gives back the items it lists, those without a price for what the order's lines of the product
-- cost a piece; one without value and items gives back all products and the whole order. So does an order that is
-- cancelled in the shop's database: of the day of the order, since the database says of a cancelled order only when its
-- row changed.
WITH refunds AS (
    SELECT
        event_id,
        event_date,
        client_id,
        user_id,
        transaction_id,
        event_at,
        money(abs(amount) * exchange_rate) AS amount,
        CASE
            WHEN amount IS NOT NULL THEN amount_basis
            WHEN json_array_length(items_json) > 0 THEN 'items'
            ELSE 'whole order'
        END AS basis
    FROM cleaned.events
    WHERE is_refund
),
candidates AS (
    SELECT
        refunds.event_id,
        orders.order_id,
        orders.revenue,
        row_number() OVER (PARTITION BY refunds.event_id ORDER BY orders.ordered_at DESC, orders.order_id) AS place
    FROM refunds
    INNER JOIN sessionized.purchases AS orders
        ON refunds.transaction_id = orders.transaction_id
        AND (
            refunds.client_id = orders.client_id
            OR refunds.user_id = orders.user_id
            OR orders.clients LIKE '%' || md5(refunds.client_id) || '%'
        )
        AND orders.ordered_at <= refunds.event_at
),
matched AS (
    SELECT
        refunds.*,
        candidates.order_id,
        candidates.revenue
    FROM refunds
    LEFT JOIN candidates ON refunds.event_id = candidates.event_id AND candidates.place = 1
    UNION ALL
    SELECT
        md5('cancelled|' || purchases.order_id),
        purchases.event_date,
        purchases.client_id,
        purchases.user_id,
        purchases.transaction_id,
        greatest(orders.updated_at, purchases.ordered_at),
        NULL,
        'whole order',
        purchases.order_id,
        purchases.revenue
    FROM sessionized.purchases AS purchases
    INNER JOIN cleaned.orders AS orders
        ON purchases.client_id = orders.client_id
        AND purchases.transaction_id = orders.transaction_id
        AND purchases.event_date BETWEEN orders.order_date - 1 AND orders.order_date + 1
    WHERE orders.status = 'cancelled'
),
items AS (
    SELECT
        items.event_id,
        items.item_index,
        coalesce(items.product_id, names.product_id) AS product_id,
        items.variant,
        coalesce(items.quantity, 1) AS quantity,
        items.amount,
        matched.order_id
    FROM cleaned.event_items AS items
    INNER JOIN matched ON items.event_id = matched.event_id
    LEFT JOIN cleaned.product_names AS names ON items.product_id IS NULL AND items.product_name = names.product_name
),
ordered AS (
    SELECT
        items.event_id,
        items.item_index,
        money(sum(lines.paid) * least(items.quantity, sum(lines.quantity)) / nullif(sum(lines.quantity), 0)) AS amount
    FROM items
    INNER JOIN sessionized.order_lines AS lines
        ON items.order_id = lines.order_id
        AND items.product_id = lines.product_id
        AND coalesce(items.variant, lines.variant, '') = coalesce(lines.variant, '')
    WHERE items.amount IS NULL
    GROUP BY items.event_id, items.item_index, items.quantity
    HAVING count(*) = count(lines.paid)
),
listed AS (
    SELECT
        event_id,
        -1 AS item_index,
        NULL AS product_id,
        CASE basis WHEN 'whole order' THEN revenue WHEN 'value' THEN amount END AS amount
    FROM matched
    UNION ALL
    SELECT
        items.event_id,
        items.item_index,
        items.product_id,
        coalesce(items.amount, ordered.amount)
    FROM items
    LEFT JOIN ordered ON items.event_id = ordered.event_id AND items.item_index = ordered.item_index
    UNION ALL
    SELECT
        matched.event_id,
        min(lines.item_index),
        lines.product_id,
        CAST(sum(lines.paid) AS DECIMAL(18, 4))
    FROM matched
    INNER JOIN sessionized.order_lines AS lines ON matched.order_id = lines.order_id
    WHERE matched.basis = 'whole order'
    GROUP BY matched.event_id, lines.product_id
)
SELECT
    listed.event_id,
    CAST(listed.item_index AS BIGINT) AS item_index,
    matched.event_date,
    matched.client_id,
    matched.user_id,
    matched.transaction_id,
    matched.event_at AS refunded_at,
    matched.order_id,
    coalesce(matched.order_id, matched.event_id) AS refunded_id,
    matched.basis,
    listed.product_id,
    listed.amount
FROM listed
INNER JOIN matched ON listed.event_id = matched.event_id
