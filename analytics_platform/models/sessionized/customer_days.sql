-- Grain: one row per person and day with an order or refund, the rollup from which figures of customers are computed.
-- Rules: a refund is the person's who placed the order, without a known order that of the client.
WITH sold AS (
    SELECT
        buyers.person_id,
        purchases.event_date,
        1 AS orders,
        purchases.revenue,
        CASE WHEN purchases.revenue IS NULL THEN 1 ELSE 0 END AS unknown_amounts,
        CAST(NULL AS DECIMAL(18, 4)) AS refunded,
        0 AS unknown_refunds
    FROM sessionized.purchases AS purchases
    INNER JOIN sessionized.buyers AS buyers ON purchases.order_id = buyers.order_id
    UNION ALL
    SELECT
        coalesce(buyers.person_id, of_client.person_id, refunds.client_id),
        refunds.event_date,
        0,
        NULL,
        0,
        refunds.amount,
        CASE WHEN refunds.amount IS NULL THEN 1 ELSE 0 END
    FROM sessionized.refunds AS refunds
    LEFT JOIN sessionized.buyers AS buyers ON refunds.order_id = buyers.order_id
    LEFT JOIN cleaned.person_members AS of_client ON refunds.client_id = of_client.client_id
    WHERE refunds.item_index = -1
)
SELECT
    person_id,
    event_date,
    CAST(sum(orders) AS BIGINT) AS orders,
    CAST(coalesce(sum(revenue), 0) AS DECIMAL(18, 4)) AS revenue,
    CAST(coalesce(sum(refunded), 0) AS DECIMAL(18, 4)) AS refunds,
    CAST(sum(unknown_amounts) AS BIGINT) AS unknown_amounts,
    CAST(sum(unknown_refunds) AS BIGINT) AS unknown_refunds
FROM sold
GROUP BY person_id, event_date
