-- Grain: one row per month from the first with an order or refund to the last. Bots are left out.
-- Rules: growth compares with the calendar month before, and is null if that month had none. It is null for revenue where
-- one of the two months has orders, and none with a known amount.
WITH bought AS (
    SELECT
        person_id,
        month,
        orders,
        revenue,
        refunds,
        unknown_amounts,
        unknown_refunds,
        min(CASE WHEN orders > 0 THEN month END) OVER (PARTITION BY person_id) AS first_month
    FROM sessionized.customer_months
    WHERE orders > 0 OR refunds > 0 OR unknown_refunds > 0
),
bounds AS (
    SELECT min(month) AS first, max(month) AS last
    FROM bought
),
starts AS (
    SELECT unnest(generate_series(first, last, INTERVAL '1' MONTH)) AS start
    FROM bounds
    WHERE first IS NOT NULL
),
calendar AS (
    SELECT CAST(start AS DATE) AS month
    FROM starts
),
months AS (
    SELECT
        calendar.month,
        count(CASE WHEN bought.orders > 0 THEN bought.person_id END) AS customers,
        count(CASE WHEN bought.month = bought.first_month THEN bought.person_id END) AS new_customers,
        coalesce(sum(bought.orders), 0) AS orders,
        coalesce(sum(bought.revenue), 0) AS revenue,
        coalesce(sum(bought.refunds), 0) AS refunds,
        coalesce(sum(bought.unknown_amounts), 0) AS unknown_amounts,
        coalesce(sum(bought.unknown_refunds), 0) AS unknown_refunds,
        CASE
            WHEN coalesce(sum(bought.orders), 0) = 0 OR sum(bought.orders) > sum(bought.unknown_amounts)
                THEN coalesce(sum(bought.revenue), 0)
        END AS known_revenue
    FROM calendar
    LEFT JOIN bought ON calendar.month = bought.month
    GROUP BY calendar.month
),
compared AS (
    SELECT
        month,
        customers,
        new_customers,
        orders,
        revenue,
        refunds,
        unknown_amounts,
        unknown_refunds,
        known_revenue,
        lag(customers) OVER (ORDER BY month) AS customers_before,
        lag(orders) OVER (ORDER BY month) AS orders_before,
        lag(known_revenue) OVER (ORDER BY month) AS revenue_before
    FROM months
)
SELECT
    month,
    customers,
    new_customers,
    CAST(orders AS BIGINT) AS orders,
    CAST(revenue AS DECIMAL(18, 4)) AS revenue,
    CAST(refunds AS DECIMAL(18, 4)) AS refunds,
    CAST(revenue - refunds AS DECIMAL(18, 4)) AS net_revenue,
    CAST(customers - customers_before AS DOUBLE) / nullif(customers_before, 0) AS customers_growth,
    CAST(orders - orders_before AS DOUBLE) / nullif(orders_before, 0) AS orders_growth,
    CAST(known_revenue - revenue_before AS DOUBLE) / nullif(revenue_before, 0) AS revenue_growth,
    CAST(unknown_amounts AS BIGINT) AS unknown_amounts,
    CAST(unknown_refunds AS BIGINT) AS unknown_refunds
FROM compared
