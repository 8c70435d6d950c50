-- Grain: one row per month, figure of customers (persons with an order) and table that says it again.
-- Rules: a month is compared for a figure if one of the tables has something of it in that month; nothing is 0. What
-- someone bought in all is of the month of the first order, or of the last. A reason stands where the two differ by
-- definition. Such a table is compared by a definition they share as well.
WITH pairs AS (
    SELECT *
    FROM (
        VALUES
        ('customers', 'marts.monthly_growth', NULL),
        ('customers', 'marts.cohort_retention', NULL),
        ('orders', 'marts.monthly_growth', NULL),
        ('orders', 'marts.cohort_retention', NULL),
        ('revenue', 'marts.monthly_growth', NULL),
        ('revenue', 'marts.cohort_retention', NULL),
        ('refunds', 'marts.monthly_growth', NULL),
        ('refunds', 'marts.cohort_retention', 'a refund to someone without an order until then is of no cohort'),
        ('refunds', 'marts.cohort_retention, (no cohort)', NULL),
        ('new customers', 'marts.monthly_growth', NULL),
        ('new customers', 'marts.cohort_retention', NULL),
        ('new customers', 'marts.customer_revenue', NULL),
        ('new customers', 'star.dim_person', 'who was erased is no person'),
        ('new customers', 'star.dim_person, (erased)', NULL),
        ('orders by first order', 'marts.customer_revenue', NULL),
        ('revenue by first order', 'marts.customer_revenue', NULL),
        ('customers by last order', 'marts.customer_rfm', NULL),
        ('revenue by last order', 'marts.customer_rfm', NULL),
        ('refunds by last order', 'marts.customer_rfm', NULL)
    ) AS listed (name, right_table, reason)
),
bought AS (
    SELECT
        person_id,
        month,
        orders,
        revenue,
        refunds,
        CAST(date_trunc('month', min(first_order_date) OVER person) AS DATE) AS first_month,
        CAST(date_trunc('month', max(last_order_date) OVER person) AS DATE) AS last_month
    FROM sessionized.customer_months
    WINDOW person AS (PARTITION BY person_id)
),
customers AS (
    SELECT
        person_id,
        first_month,
        last_month,
        sum(orders) AS orders,
        sum(revenue) AS revenue,
        sum(refunds) AS refunds
    FROM bought
    WHERE first_month IS NOT NULL
    GROUP BY person_id, first_month, last_month
),
measured AS (
    SELECT
        unnest(['customers', 'orders', 'revenue', 'refunds']) AS name,
        'sessionized.customer_months' AS table_name,
        month,
        unnest([CASE WHEN orders > 0 THEN CAST(1 AS DECIMAL(18, 4)) ELSE 0 END, orders, revenue, refunds]) AS value
    FROM bought
    UNION ALL
    SELECT 'refunds', 'marts.cohort_retention, (no cohort)', month, refunds
    FROM bought
    WHERE first_month IS NULL OR month < first_month
    UNION ALL
    SELECT
        unnest(['new customers', 'orders by first order', 'revenue by first order']),
        'sessionized.customer_months',
        first_month,
        unnest([1, orders, revenue])
    FROM customers
    UNION ALL
    SELECT
        unnest(['customers by last order', 'revenue by last order', 'refunds by last order']),
        'sessionized.customer_months',
        last_month,
        unnest([1, revenue, refunds])
    FROM customers
    UNION ALL
    SELECT 'new customers', 'star.dim_person, (erased)', first_month, 1
    FROM customers
    WHERE person_id LIKE 'erased:%'
    UNION ALL
    SELECT
        'new customers',
        unnest(['star.dim_person', 'star.dim_person, (erased)']),
        CAST(date_trunc('month', first_order_date) AS DATE),
        1
    FROM star.dim_person
    WHERE is_customer
    UNION ALL
    SELECT
        unnest(['customers', 'new customers', 'orders', 'revenue', 'refunds']),
        'marts.monthly_growth',
        month,
        unnest([customers, new_customers, orders, revenue, refunds])
    FROM marts.monthly_growth
    UNION ALL
    SELECT
        unnest(['customers', 'new customers', 'orders', 'revenue', 'refunds', 'refunds']),
        unnest([
            'marts.cohort_retention',
            'marts.cohort_retention',
            'marts.cohort_retention',
            'marts.cohort_retention',
            'marts.cohort_retention',
            'marts.cohort_retention, (no cohort)'
        ]),
        month,
        unnest([
            customers,
            CASE WHEN month = cohort_month THEN cohort_size ELSE 0 END,
            orders,
            revenue,
            refunds,
            refunds
        ])
    FROM marts.cohort_retention
    UNION ALL
    SELECT
        unnest(['new customers', 'orders by first order', 'revenue by first order']),
        'marts.customer_revenue',
        CAST(date_trunc('month', first_order_date) AS DATE),
        unnest([1, orders, revenue])
    FROM marts.customer_revenue
    UNION ALL
    SELECT
        unnest(['customers by last order', 'revenue by last order', 'refunds by last order']),
        'marts.customer_rfm',
        CAST(date_trunc('month', last_order_date) AS DATE),
        unnest([1, revenue, refunds])
    FROM marts.customer_rfm
),
figures AS (
    SELECT name, table_name, month, sum(value) AS value
    FROM measured
    GROUP BY name, table_name, month
),
months AS (
    SELECT name, month
    FROM figures
    WHERE value <> 0
    GROUP BY name, month
)
SELECT
    months.month,
    pairs.name,
    'sessionized.customer_months' AS left_table,
    CAST(coalesce(one.value, 0) AS DECIMAL(18, 4)) AS left_value,
    pairs.right_table,
    CAST(coalesce(other.value, 0) AS DECIMAL(18, 4)) AS right_value,
    CASE WHEN coalesce(one.value, 0) <> coalesce(other.value, 0) THEN pairs.reason END AS reason
FROM months
INNER JOIN pairs ON months.name = pairs.name
LEFT JOIN figures AS one
    ON months.name = one.name AND months.month = one.month AND one.table_name = 'sessionized.customer_months'
LEFT JOIN figures AS other
    ON months.name = other.name AND months.month = other.month AND pairs.right_table = other.table_name
