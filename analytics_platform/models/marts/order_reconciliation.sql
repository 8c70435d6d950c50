-- Grain: one row per order in the events (star.fact_orders), in the shop's database (cleaned.orders), or in both.
-- Rules: two orders are the same if client and transaction are, and their days are equal or
-- adjacent, as for an order at midnight. The row has the shop's day if the shop has the order. Bots are
-- included.
WITH events AS (
    SELECT
        order_id,
        order_date,
        client_id,
        transaction_id,
        revenue
    FROM star.fact_orders
    WHERE transaction_id IS NOT NULL
),
lines AS (
    SELECT
        order_id,
        sum(amount) AS amount
    FROM cleaned.order_items
    GROUP BY order_id
),
shop_days AS (
    SELECT DISTINCT order_date FROM cleaned.orders
),
matched AS (
    SELECT
        orders.order_id,
        events.order_id AS event_order_id,
        row_number() OVER (PARTITION BY orders.order_id ORDER BY events.order_id) AS place
    FROM cleaned.orders AS orders
    INNER JOIN events
        ON orders.client_id = events.client_id
        AND orders.transaction_id = events.transaction_id
        AND events.order_date BETWEEN orders.order_date - 1 AND orders.order_date + 1
),
pairs AS (
    SELECT
        coalesce(orders.order_date, events.order_date) AS order_date,
        coalesce(orders.order_key, order_key(events.client_id, events.transaction_id)) AS order_key,
        orders.order_id AS shop_order_id,
        events.order_id,
        orders.client_id,
        orders.status,
        orders.total AS shop_total,
        lines.amount AS shop_lines,
        events.revenue
    FROM cleaned.orders AS orders
    LEFT JOIN matched ON orders.order_id = matched.order_id AND matched.place = 1
    FULL JOIN events ON matched.event_order_id = events.order_id
    LEFT JOIN lines ON orders.order_id = lines.order_id
)
SELECT
    md5(coalesce(CAST(pairs.shop_order_id AS VARCHAR), '') || '|' || coalesce(pairs.order_id, '')) AS pair_id,
    pairs.order_date,
    pairs.order_key,
    pairs.shop_order_id,
    pairs.order_id,
    pairs.status,
    pairs.shop_total,
    CAST(pairs.shop_lines AS DECIMAL(18, 4)) AS shop_lines,
    pairs.revenue,
    CASE
        WHEN pairs.shop_order_id IS NOT NULL AND pairs.order_id IS NOT NULL AND pairs.shop_total = pairs.revenue
            THEN 'equal'
        WHEN pairs.shop_order_id IS NOT NULL AND pairs.order_id IS NOT NULL THEN 'amounts differ'
        WHEN pairs.shop_order_id IS NOT NULL AND pairs.client_id IS NULL THEN 'not tracked'
        WHEN pairs.shop_order_id IS NOT NULL THEN 'only in shop'
        WHEN pairs.revenue = 0 THEN 'nothing bought'
        WHEN shop_days.order_date IS NULL THEN 'no shop orders that day'
        ELSE 'only in events'
    END AS outcome
FROM pairs
LEFT JOIN shop_days ON pairs.order_date = shop_days.order_date
