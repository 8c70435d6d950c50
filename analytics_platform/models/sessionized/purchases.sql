-- Grain: one row per order, its earliest purchase event.
-- Rules: an order is a client and a transaction id, since ids collide across clients. A repeat within 30 days of the
-- previous one is the same order, so an order depends on the 30 days before it only. A purchase without transaction
-- id is a separate order. The revenue is the first known one of its events that day. A purchase with a negative
-- amount is a refund.
WITH keyed AS (
    SELECT
        event_id,
        event_date,
        client_id,
        transaction_id,
        event_at,
        revenue,
        received_at,
        position,
        CASE
            WHEN transaction_id IS NULL THEN 'event|' || event_id
            ELSE 'order|' || transaction_id
        END AS client_order
    FROM cleaned.events
    WHERE event_name = 'purchase' AND coalesce(amount, 0) >= 0
),
marked AS (
    SELECT
        *,
        coalesce(
            event_date > 30 + lag(event_date) OVER (
                PARTITION BY client_id, client_order ORDER BY event_at, received_at, position, event_id
            ),
            TRUE
        ) AS is_first
    FROM keyed
),
numbered AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_first) OVER (
            PARTITION BY client_id, client_order
            ORDER BY event_at, received_at, position, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS number
    FROM marked
),
valued AS (
    SELECT
        *,
        first_value(revenue IGNORE NULLS) OVER (
            PARTITION BY client_id, client_order, number, event_date
            ORDER BY event_at, received_at, position, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
        ) AS first_revenue
    FROM numbered
)
SELECT
    md5(md5(client_id) || '|' || client_order || '|' || CAST(micros(event_at) AS VARCHAR)) AS order_id,
    event_id,
    event_date,
    client_id,
    transaction_id,
    event_at AS ordered_at,
    first_revenue AS revenue
FROM valued
WHERE is_first
