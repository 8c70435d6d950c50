-- Grain: one row per order, its earliest purchase event.
-- Rules: an order is a client and a transaction id, since ids collide across clients. A repeat within 30 days of the
-- previous one is the same order. So are orders of two clients with the same transaction id and user, each within a day
-- of the one before; the user is the first one that events of the client name on the day of the order or the next. A
-- purchase without transaction id is a separate order. The revenue is the first known one within 30 days. So an order
-- depends on the events of 31 days before and after its day, and on no others. A refund is no order. Another amount, as of
-- an exchange under the old transaction id, is flagged.
WITH keyed AS (
    SELECT
        event_id,
        event_date,
        client_id,
        user_id,
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
    WHERE event_name = 'purchase' AND NOT is_refund
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
dated AS (
    SELECT *, min(event_date) OVER (PARTITION BY client_id, client_order, number) AS first_date
    FROM numbered
),
with_repeats AS (
    SELECT
        *,
        first_value(CASE WHEN event_date <= first_date + 1 THEN user_id END IGNORE NULLS) OVER repeats AS buyer,
        first_value(CASE WHEN event_date <= first_date + 30 THEN revenue END IGNORE NULLS) OVER repeats AS first_revenue,
        min(CASE WHEN event_date <= first_date + 30 THEN revenue END) OVER repeats
        < max(CASE WHEN event_date <= first_date + 30 THEN revenue END) OVER repeats AS differs,
        first_value(CASE WHEN revenue IS NOT NULL THEN event_at END IGNORE NULLS) OVER repeats AS valued_at
    FROM dated
    WINDOW repeats AS (
        PARTITION BY client_id, client_order, number
        ORDER BY event_at, received_at, position, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
),
of_clients AS (
    SELECT *, CASE WHEN transaction_id IS NULL OR buyer IS NULL THEN event_id ELSE md5(buyer) || transaction_id END AS user_order
    FROM with_repeats
    WHERE is_first
),
compared AS (
    SELECT
        *,
        coalesce(
            event_at > INTERVAL '1' DAY + lag(event_at) OVER (
                PARTITION BY user_order ORDER BY event_at, received_at, position, event_id
            ),
            TRUE
        ) AS is_order
    FROM of_clients
),
grouped AS (
    SELECT
        *,
        count(*) FILTER (WHERE is_order) OVER (
            PARTITION BY user_order
            ORDER BY event_at, received_at, position, event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS user_number
    FROM compared
),
bounded AS (
    SELECT
        *,
        CASE WHEN event_date <= 30 + min(event_date) OVER orders THEN md5(client_id) END AS client,
        CASE WHEN CAST(valued_at AS DATE) <= 30 + min(event_date) OVER orders THEN first_revenue END AS known_revenue
    FROM grouped
    WINDOW orders AS (PARTITION BY user_order, user_number)
),
valued AS (
    SELECT
        *,
        first_value(known_revenue IGNORE NULLS) OVER orders AS order_revenue,
        coalesce(differs, FALSE)
        OR coalesce(min(known_revenue) OVER orders < max(known_revenue) OVER orders, FALSE) AS has_other_amounts,
        array_to_string(list(client) OVER orders, ' ') AS clients
    FROM bounded
    WINDOW orders AS (
        PARTITION BY user_order, user_number
        ORDER BY valued_at, event_at, received_at, position, event_id
        ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING
    )
)
SELECT
    md5(md5(client_id) || '|' || client_order || '|' || CAST(micros(event_at) AS VARCHAR)) AS order_id,
    event_id,
    event_date,
    client_id,
    buyer AS user_id,
    transaction_id,
    event_at AS ordered_at,
    order_revenue AS revenue,
    has_other_amounts,
    clients
FROM valued
WHERE is_order
