-- Grain: one row per product of the shop's database and day, from the day on which its stock is known first.
-- Rules: a day has the stock, name and category of the last version up to its end; days without a change carry on what
-- the day before ended with. The lowest stock of a day counts the one it began with.
WITH versions AS (
    SELECT
        product_id,
        name,
        category,
        stock,
        updated_at,
        CAST(updated_at AS DATE) AS date,
        row_number() OVER (PARTITION BY product_id ORDER BY updated_at, arrived_at, batch_id, position) AS place
    FROM cleaned.product_versions
),
changes AS (
    SELECT
        product_id,
        date,
        max_by(name, place) AS product_name,
        max_by(category, place) AS category,
        max_by(stock, place) AS stock,
        min(stock) AS lowest,
        max(updated_at) AS changed_at
    FROM versions
    GROUP BY product_id, date
),
periods AS (
    SELECT
        *,
        lag(stock) OVER (PARTITION BY product_id ORDER BY date) AS stock_before,
        lead(date) OVER (PARTITION BY product_id ORDER BY date) AS next_date
    FROM changes
),
midnights AS (
    SELECT unnest(generate_series($first_day, $last_day, INTERVAL '1' DAY)) AS midnight
),
days AS (
    SELECT CAST(midnight AS DATE) AS date
    FROM midnights
)
SELECT
    days.date,
    periods.product_id,
    periods.product_name,
    periods.category,
    periods.stock,
    CASE
        WHEN periods.date = days.date THEN least(periods.lowest, periods.stock_before) ELSE periods.stock
    END AS lowest_stock,
    periods.changed_at
FROM days
INNER JOIN periods
    ON days.date >= periods.date
    AND (periods.next_date IS NULL OR days.date < periods.next_date)
