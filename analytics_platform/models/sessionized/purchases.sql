-- Grain: one row per order, its earliest purchase event.
-- Rules: an order is a client and a transaction id, since ids collide across clients. A repeat within 30 days of the
-- previous one is the same order, so an order depends on the 30 days before it only. A purchase without transaction
-- id is a separate order.
WITH keyed AS (
    SELECT
        event_id,
        event_date,
        client_id,
        transaction_id,
        event_at,
        revenue,
        CASE
            WHEN transaction_id IS NULL THEN 'event|' || event_id
            ELSE 'order|' || transaction_id
        END AS client_order
    FROM cleaned.events
    WHERE event_name = 'purchase'
),
ordered AS (
    SELECT
        event_id,
        event_date,
        client_id,
        transaction_id,
        event_at,
        revenue,
        client_order,
        lag(event_date) OVER (PARTITION BY client_id, client_order ORDER BY event_at, event_id) AS previous_date
    FROM keyed
)
SELECT
    md5(md5(client_id) || '|' || client_order || '|' || CAST(micros(event_at) AS VARCHAR)) AS order_id,
    event_id,
    event_date,
    client_id,
    transaction_id,
    event_at AS ordered_at,
    coalesce(revenue, 0) AS revenue
FROM ordered
WHERE previous_date IS NULL OR event_date > previous_date + 30
