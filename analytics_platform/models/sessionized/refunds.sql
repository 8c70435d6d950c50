-- Grain: one row per refund (item_index -1): a refund event, or a purchase with a negative value or negative quantities;
-- and one per item that it gives back.
-- Rules: refunds of an order count in the order of time, together at most what the order is worth. What is above it is
-- the excess, and is in no sum; a whole order has none if something was left of it. Nor is the refund of an order of
-- unknown amount in any sum, for its order is in none. Of listed items all must have a known amount, and those of a
-- product count together at most what it cost in the order. A whole order is given back product by product: of each what
-- refunds of its items left. Items that come to more than what counts of the refund are cut to it in proportion.
WITH asked AS (
    SELECT
        items.*,
        part_of(
            items.amount,
            sum(items.amount) OVER (
                PARTITION BY items.event_id
                ORDER BY items.item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            sum(items.amount) OVER (PARTITION BY items.event_id),
            coalesce(refunds.amount, sum(items.amount) OVER (PARTITION BY items.event_id))
        ) AS asked
    FROM sessionized.refund_lines AS items
    INNER JOIN sessionized.refund_lines AS refunds ON items.event_id = refunds.event_id AND refunds.item_index = -1
    WHERE items.item_index >= 0
),
taken AS (
    SELECT
        *,
        coalesce(sum(CASE WHEN basis <> 'whole order' THEN asked END) OVER (
            PARTITION BY refunded_id, product_id
            ORDER BY refunded_at, event_id, item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ), 0) AS so_far
    FROM asked
),
costs AS (
    SELECT
        order_id,
        product_id,
        CASE WHEN count(paid) = count(*) THEN sum(paid) END AS cost
    FROM sessionized.order_lines
    GROUP BY order_id, product_id
),
remaining AS (
    SELECT
        taken.*,
        CASE
            WHEN basis = 'whole order' THEN greatest(asked - so_far, least(asked, 0))
            WHEN cost IS NULL THEN asked
            ELSE least(so_far, cost) - least(so_far - asked, cost)
        END AS rest
    FROM taken
    LEFT JOIN costs ON taken.order_id = costs.order_id AND taken.product_id = costs.product_id
),
listed AS (
    SELECT
        event_id,
        CASE WHEN count(asked) = count(*) THEN sum(asked) END AS asked,
        CASE WHEN count(asked) = count(*) THEN sum(rest) END AS rest
    FROM remaining
    GROUP BY event_id
),
summed AS (
    SELECT
        refunds.*,
        orders.client_id AS order_client_id,
        orders.revenue,
        CASE WHEN refunds.basis = 'items' THEN listed.asked ELSE refunds.amount END AS claimed,
        CASE WHEN refunds.basis = 'items' THEN listed.rest ELSE refunds.amount END AS rest,
        sum(coalesce(CASE WHEN refunds.basis = 'items' THEN listed.rest ELSE refunds.amount END, 0)) OVER (
            PARTITION BY refunds.refunded_id
            ORDER BY refunds.refunded_at, refunds.event_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM sessionized.refund_lines AS refunds
    LEFT JOIN listed ON refunds.event_id = listed.event_id
    LEFT JOIN sessionized.purchases AS orders ON refunds.order_id = orders.order_id
    WHERE refunds.item_index = -1
),
capped AS (
    SELECT
        *,
        CASE
            WHEN order_id IS NULL THEN rest
            WHEN rest IS NOT NULL AND revenue IS NOT NULL THEN least(so_far, revenue) - least(so_far - rest, revenue)
        END AS capped_amount
    FROM summed
),
counted AS (
    SELECT
        remaining.event_id,
        remaining.event_date,
        remaining.client_id,
        capped.order_client_id,
        remaining.transaction_id,
        remaining.refunded_at,
        remaining.order_id,
        remaining.basis,
        remaining.item_index,
        remaining.product_id,
        remaining.amount AS claimed,
        part_of(
            remaining.rest,
            sum(remaining.rest) OVER (
                PARTITION BY remaining.event_id
                ORDER BY remaining.item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
            ),
            sum(remaining.rest) OVER (PARTITION BY remaining.event_id),
            capped.capped_amount
        ) AS amount,
        NULL AS excess
    FROM remaining
    INNER JOIN capped ON remaining.event_id = capped.event_id
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
        capped_amount,
        CASE WHEN basis = 'whole order' AND capped_amount > 0 THEN 0 ELSE claimed - coalesce(capped_amount, 0) END
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
