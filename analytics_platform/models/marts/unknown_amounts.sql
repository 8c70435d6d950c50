-- Grain: one row per day, kind (order or refund) and reason for which amounts are unknown, or count in part only.
WITH found AS (
    SELECT
        event_id,
        order_date AS date,
        'order' AS kind,
        CASE WHEN revenue IS NOT NULL THEN 'another amount in a repeat' END AS reason,
        NULL AS unnamed,
        0 AS excess
    FROM star.fact_orders
    WHERE revenue IS NULL OR has_other_amounts
    UNION ALL
    SELECT
        event_id,
        refund_date,
        'refund',
        CASE
            WHEN excess > 0 AND amount IS NULL THEN 'order of unknown amount'
            WHEN excess > 0 THEN 'more than the order'
        END,
        CASE
            WHEN basis = 'items' AND order_id IS NOT NULL THEN 'items of unknown amount'
            ELSE 'no order with a known amount'
        END,
        coalesce(excess, 0)
    FROM star.fact_refunds
    WHERE amount IS NULL OR excess > 0
)
SELECT
    found.date,
    found.kind,
    coalesce(found.reason, nullif(events.unknown_reason, CASE found.kind WHEN 'refund' THEN 'no value' END), unnamed) AS reason,
    count(*) AS events,
    CAST(sum(found.excess) AS DECIMAL(18, 4)) AS excess
FROM found
INNER JOIN cleaned.events AS events ON found.event_id = events.event_id
GROUP BY 1, 2, 3
