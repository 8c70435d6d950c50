-- Grain: one row per cohort (month of the first order) and month in which one of its customers ordered or was refunded.
-- Bots are left out.
WITH bought AS (
    SELECT
        month,
        orders,
        revenue,
        refunds,
        unknown_amounts,
        unknown_refunds,
        min(CASE WHEN orders > 0 THEN month END) OVER (PARTITION BY person_id) AS cohort_month
    FROM sessionized.customer_months
),
cohorts AS (
    SELECT
        cohort_month,
        month,
        count(*) FILTER (WHERE orders > 0) AS customers,
        sum(orders) AS orders,
        sum(revenue) AS revenue,
        sum(refunds) AS refunds,
        sum(unknown_amounts) AS unknown_amounts,
        sum(unknown_refunds) AS unknown_refunds
    FROM bought
    WHERE cohort_month <= month AND (orders > 0 OR refunds > 0 OR unknown_refunds > 0)
    GROUP BY cohort_month, month
),
sized AS (
    SELECT
        cohort_month,
        month,
        customers,
        orders,
        revenue,
        refunds,
        unknown_amounts,
        unknown_refunds,
        first_value(customers) OVER (PARTITION BY cohort_month ORDER BY month) AS cohort_size
    FROM cohorts
)
SELECT
    cohort_month,
    month,
    CAST(
        12 * (year(month) - year(cohort_month)) + month(month) - month(cohort_month) AS BIGINT
    ) AS months_since_first,
    cohort_size,
    customers,
    CAST(customers AS DOUBLE) / cohort_size AS retention_rate,
    CAST(orders AS BIGINT) AS orders,
    CAST(revenue AS DECIMAL(18, 4)) AS revenue,
    CAST(refunds AS DECIMAL(18, 4)) AS refunds,
    CAST(revenue - refunds AS DECIMAL(18, 4)) AS net_revenue,
    CAST(unknown_amounts AS BIGINT) AS unknown_amounts,
    CAST(unknown_refunds AS BIGINT) AS unknown_refunds
FROM sized
