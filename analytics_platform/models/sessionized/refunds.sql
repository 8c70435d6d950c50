-- Grain: one row per refund: a refund event, or a purchase with a negative value or negative quantities.
-- Rules: refunds of an order count in the order of time, together at most what the order is worth. What is above it is
-- the excess, and is in no sum. Of listed items all must have a known amount.
WITH claims AS (
    SELECT
        event_id,
        event_date,
        client_id,
        transaction_id,
        refunded_at,
        order_id,
        refunded_id,
        basis,
        CASE
            WHEN basis <> 'items' THEN max(amount) FILTER (WHERE item_index = -1)
            WHEN count(amount) = count(*) - 1 THEN sum(amount)
        END AS claimed
    FROM sessionized.refund_lines
    GROUP BY event_id, event_date, client_id, transaction_id, refunded_at, order_id, refunded_id, basis
),
summed AS (
    SELECT
        claims.*,
        orders.client_id AS order_client_id,
        orders.revenue,
        sum(coalesce(claims.claimed, 0)) OVER (
            PARTITION BY claims.refunded_id
            ORDER BY claims.refunded_at, claims.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM claims
    LEFT JOIN sessionized.purchases AS orders ON claims.order_id = orders.order_id
),
capped AS (
    SELECT
        *,
        CASE
            WHEN claimed IS NULL OR revenue IS NULL THEN claimed
            ELSE least(so_far, revenue) - least(so_far - claimed, revenue)
        END AS amount
    FROM summed
)
SELECT
    event_id,
    event_date,
    coalesce(order_client_id, client_id) AS client_id,
    transaction_id,
    refunded_at,
    order_id,
    basis,
    CAST(claimed AS DECIMAL(18, 4)) AS claimed,
    CAST(amount AS DECIMAL(18, 4)) AS amount,
    CAST(claimed - amount AS DECIMAL(18, 4)) AS excess
FROM capped
