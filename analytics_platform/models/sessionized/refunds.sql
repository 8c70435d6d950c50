-- Grain: one row per refund (item_index -1): a refund event, or a purchase with a negative value or negative quantities;
-- and one per item that it gives back.
-- Rules: refunds of an order count in the order of time, together at most what the order is worth. What is above it is
-- the excess, and is in no sum; a whole order has none if something was left of it. Nor is the refund of an order of
-- unknown amount in any sum, for its order is in none. Of listed items all must have a known amount. A whole order is
-- given back product by product: of each what refunds of its items left. Items that come to more than what counts of the
-- refund are cut to it in proportion.
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
            WHEN order_id IS NULL THEN claimed
            WHEN claimed IS NOT NULL AND revenue IS NOT NULL THEN least(so_far, revenue) - least(so_far - claimed, revenue)
        END AS amount
    FROM summed
),
asked AS (
    SELECT
        lines.event_id,
        lines.item_index,
        lines.product_id,
        lines.amount AS asked,
        part_of(
            lines.amount,
            sum(lines.amount) OVER (
                PARTITION BY lines.event_id
                ORDER BY lines.item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            sum(lines.amount) OVER (PARTITION BY lines.event_id),
            capped.amount
        ) AS part
    FROM sessionized.refund_lines AS lines
    INNER JOIN capped ON lines.event_id = capped.event_id
    WHERE lines.item_index >= 0
),
remaining AS (
    SELECT
        capped.*,
        asked.item_index,
        asked.product_id,
        asked.asked,
        CASE
            WHEN capped.basis <> 'whole order' THEN asked.part
            WHEN asked.asked <= 0 THEN asked.asked
            ELSE greatest(asked.asked - coalesce(sum(CASE WHEN capped.basis <> 'whole order' THEN asked.part END) OVER (
                PARTITION BY capped.refunded_id, asked.product_id
                ORDER BY capped.refunded_at, asked.event_id, asked.item_index
                ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ), 0), 0)
        END AS rest
    FROM asked
    INNER JOIN capped ON asked.event_id = capped.event_id
),
counted AS (
    SELECT
        event_id,
        event_date,
        client_id,
        order_client_id,
        transaction_id,
        refunded_at,
        order_id,
        basis,
        item_index,
        product_id,
        asked AS claimed,
        part_of(
            rest,
            sum(rest) OVER (
                PARTITION BY event_id ORDER BY item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            sum(rest) OVER (PARTITION BY event_id),
            amount
        ) AS amount,
        NULL AS excess
    FROM remaining
    UNION ALL
    SELECT
        event_id,
        event_date,
        client_id,
        order_client_id,
        transaction_id,
        refunded_at,
        order_id,
        basis,
        -1,
        NULL,
        claimed,
        amount,
        CASE WHEN basis = 'whole order' AND amount > 0 THEN 0 ELSE claimed - coalesce(amount, 0) END
    FROM capped
)
SELECT
    event_id,
    CAST(item_index AS BIGINT) AS item_index,
    event_date,
    coalesce(order_client_id, client_id) AS client_id,
    transaction_id,
    refunded_at,
    order_id,
    basis,
    product_id,
    CAST(claimed AS DECIMAL(18, 4)) AS claimed,
    CAST(amount AS DECIMAL(18, 4)) AS amount,
    CAST(excess AS DECIMAL(18, 4)) AS excess
FROM counted
