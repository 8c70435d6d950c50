-- Grain: one row per cohort (month of the first order) and month in which one of its customers ordered. Bots are left
-- out.
WITH bought AS (
    SELECT
        month,
        orders,
        revenue,
        min(month) OVER (PARTITION BY client_id) AS cohort_month
    FROM sessionized.customer_months
    WHERE orders > 0
),
cohorts AS (
    SELECT
        cohort_month,
        month,
        count(*) AS customers,
        sum(orders) AS orders,
        sum(revenue) AS revenue
    FROM bought
    GROUP BY cohort_month, month
),
sized AS (
    SELECT
        cohort_month,
        month,
        customers,
        orders,
        revenue,
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
    CAST(revenue AS DECIMAL(18, 4)) AS revenue
FROM sized
