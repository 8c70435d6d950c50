-- Grain: one row per refund: a refund event, or a purchase with a negative amount.
-- Rules: its order is the last one of the client with the transaction id before it. A refund without amount and items
-- gives back the whole order.
WITH events AS (
    SELECT
        event_id,
        event_date,
        client_id,
        transaction_id,
        event_at,
        amount,
        money(abs(amount) * exchange_rate) AS refunded
    FROM cleaned.events
    WHERE event_name = 'refund' OR (event_name = 'purchase' AND amount < 0)
),
candidates AS (
    SELECT
        events.event_id,
        orders.order_id,
        orders.revenue,
        row_number() OVER (PARTITION BY events.event_id ORDER BY orders.ordered_at DESC, orders.order_id) AS place
    FROM events
    INNER JOIN sessionized.purchases AS orders
        ON events.client_id = orders.client_id
        AND events.transaction_id = orders.transaction_id
        AND orders.ordered_at <= events.event_at
)
SELECT
    events.event_id,
    events.event_date,
    events.client_id,
    events.transaction_id,
    events.event_at AS refunded_at,
    candidates.order_id,
    CASE WHEN events.amount IS NULL THEN candidates.revenue ELSE events.refunded END AS amount
FROM events
LEFT JOIN candidates ON events.event_id = candidates.event_id AND candidates.place = 1
