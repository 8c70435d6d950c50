-- Grain: one row per day, kind (order or refund) and reason for which amounts are unknown, or refunds count in part only.
WITH found AS (
    SELECT event_id, order_date AS date, 'order' AS kind, FALSE AS names_items, 0 AS excess
    FROM star.fact_orders
    WHERE revenue IS NULL
    UNION ALL
    SELECT event_id, refund_date, 'refund', basis = 'items' AND order_id IS NOT NULL, coalesce(excess, 0)
    FROM star.fact_refunds
    WHERE amount IS NULL OR excess > 0
),
explained AS (
    SELECT
        found.date,
        found.kind,
        CASE
            WHEN found.excess > 0 THEN 'more than the order'
            WHEN found.kind = 'refund' AND coalesce(events.unknown_reason, 'no value') = 'no value'
                THEN CASE WHEN found.names_items THEN 'items of unknown amount' ELSE 'no order with a known amount' END
            ELSE events.unknown_reason
        END AS reason,
        found.excess
    FROM found
    INNER JOIN cleaned.events AS events ON found.event_id = events.event_id
)
SELECT
    date,
    kind,
    reason,
    count(*) AS events,
    CAST(sum(excess) AS DECIMAL(18, 4)) AS excess
FROM explained
GROUP BY date, kind, reason
