-- Grain: one row per calendar day to build, the days before and after, and the unknown member.
-- Rules: the shop's day of an event may be the day before or after its day in UTC.
WITH midnights AS (
    SELECT unnest(generate_series($first_day - INTERVAL '1' DAY, $last_day + INTERVAL '1' DAY, INTERVAL '1' DAY)) AS midnight
),
days AS (
    SELECT CAST(midnight AS DATE) AS date
    FROM midnights
)
SELECT
    date_key(date) AS date_key,
    date,
    CAST(year(date) AS BIGINT) AS year,
    CAST(quarter(date) AS BIGINT) AS quarter,
    CAST(month(date) AS BIGINT) AS month,
    CAST(day(date) AS BIGINT) AS day,
    monthname(date) AS month_name,
    CAST(isoyear(date) AS BIGINT) AS iso_year,
    CAST(weekofyear(date) AS BIGINT) AS iso_week,
    CAST(isodow(date) AS BIGINT) AS iso_weekday,
    dayname(date) AS weekday_name,
    isodow(date) >= 6 AS is_weekend
FROM days
UNION ALL
SELECT -1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
