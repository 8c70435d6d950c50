-- Grain: one row per customer (person) with an order. Bots are left out.
-- Rules: scores are quintiles (Hughes 1994), 5 is the best: the share of all customers that is strictly worse, in
-- fifths. Equal customers have equal scores, in any order of the rows. Recency counts from the last day with a session or
-- order, not from today. The monetary value is the net revenue. Where no order has a known amount, it and its score are
-- missing, and the others are scored among themselves.
WITH customers AS (
    SELECT
        person_id,
        max(last_order_date) AS last_order_date,
        sum(orders) AS orders,
        CASE WHEN sum(months.orders) > sum(unknown_amounts) THEN sum(months.revenue) END AS revenue,
        sum(unknown_amounts) AS unknown_orders,
        sum(refunds) AS refunds,
        sum(unknown_refunds) AS unknown_refunds
    FROM sessionized.customer_months AS months
    GROUP BY person_id
    HAVING sum(months.orders) > 0 -- not the sum above of the same name
),
last_day AS (
    SELECT greatest(max(date), (SELECT max(last_order_date) FROM customers)) AS as_of_date
    FROM marts.device_daily
),
worse AS (
    SELECT
        person_id,
        last_order_date,
        orders,
        revenue,
        unknown_orders,
        refunds,
        unknown_refunds,
        rank() OVER (ORDER BY last_order_date) - 1 AS less_recent,
        rank() OVER (ORDER BY orders) - 1 AS less_frequent,
        rank() OVER (PARTITION BY revenue IS NULL ORDER BY revenue - refunds) - 1 AS less_valuable,
        count(*) OVER () AS customers,
        count(revenue) OVER () AS valued
    FROM customers
),
scored AS (
    SELECT
        person_id,
        last_order_date,
        orders,
        revenue,
        unknown_orders,
        refunds,
        unknown_refunds,
        CAST(1 + floor(CAST(5 * less_recent AS DOUBLE) / customers) AS BIGINT) AS recency_score,
        CAST(1 + floor(CAST(5 * less_frequent AS DOUBLE) / customers) AS BIGINT) AS frequency_score,
        CASE
            WHEN revenue IS NOT NULL THEN CAST(1 + floor(CAST(5 * less_valuable AS DOUBLE) / valued) AS BIGINT)
        END AS monetary_score
    FROM worse
)
SELECT
    scored.person_id,
    last_day.as_of_date,
    scored.last_order_date,
    CAST(last_day.as_of_date - scored.last_order_date AS BIGINT) AS recency_days,
    CAST(scored.orders AS BIGINT) AS orders,
    CAST(scored.revenue AS DECIMAL(18, 4)) AS revenue,
    CAST(scored.refunds AS DECIMAL(18, 4)) AS refunds,
    CAST(scored.revenue - scored.refunds AS DECIMAL(18, 4)) AS net_revenue,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    CAST(100 * scored.recency_score + 10 * scored.frequency_score + scored.monetary_score AS VARCHAR) AS rfm,
    CAST(scored.unknown_orders AS BIGINT) AS unknown_amounts,
    CAST(scored.unknown_refunds AS BIGINT) AS unknown_refunds
FROM scored
CROSS JOIN last_day
