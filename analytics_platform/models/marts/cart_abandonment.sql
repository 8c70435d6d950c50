-- Grain: one row per day on which a session with an add_to_cart event starts. Bots are left out.
-- Rules: a cart is abandoned if its session has an add_to_cart event and no purchase event.
SELECT
    session_date AS date,
    count(*) AS carts,
    count(*) FILTER (WHERE NOT purchased) AS abandoned,
    count(*) FILTER (WHERE began_checkout AND NOT purchased) AS abandoned_at_checkout,
    CAST(count(*) FILTER (WHERE NOT purchased) AS DOUBLE) / count(*) AS abandonment_rate
FROM star.fact_sessions
WHERE added_to_cart AND NOT is_bot
GROUP BY session_date
