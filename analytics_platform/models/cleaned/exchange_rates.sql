-- Grain: one row per day, base and currency: how many units of the currency one unit of the base is worth.
-- Rules: the version that arrived last. Without a base it is the euro, as in the euro reference rates.
WITH ranked AS (
    SELECT
        date,
        coalesce(base, 'EUR') AS base,
        currency,
        rate,
        row_number() OVER (
            PARTITION BY date, coalesce(base, 'EUR'), currency ORDER BY arrived_at DESC, batch_id DESC, position DESC
        ) AS place
    FROM cleaned.exchange_rate_versions
)
SELECT
    date,
    base,
    currency,
    rate
FROM ranked
WHERE place = 1
