-- Grain: one row per day and step of view → cart → checkout → purchase, counted in sessions. Bots are left out.
-- Rules: a session counts for the steps whose event it has, and for the purchase if it has an order. Those that have a
-- later step only are counted apart: their tracker does not send this one.
WITH reached AS (
    SELECT
        session_date AS date,
        unnest([TRUE, viewed, added_to_cart, began_checkout]) AS has_previous,
        unnest([viewed, added_to_cart, began_checkout, orders > 0]) AS has_step,
        unnest([
            added_to_cart OR began_checkout OR orders > 0, began_checkout OR orders > 0, orders > 0, FALSE
        ]) AS has_later,
        unnest(['view', 'cart', 'checkout', 'purchase']) AS step,
        unnest([1, 2, 3, 4]) AS step_index,
        viewed
    FROM star.fact_sessions
    WHERE NOT is_bot
),
counted AS (
    SELECT
        date,
        step_index,
        step,
        count(*) FILTER (WHERE has_step) AS sessions,
        count(*) FILTER (WHERE has_later AND NOT has_step) AS inferred,
        count(*) FILTER (WHERE has_previous) AS with_previous,
        count(*) FILTER (WHERE has_step AND has_previous) AS after_previous,
        count(*) FILTER (WHERE viewed) AS with_view,
        count(*) FILTER (WHERE has_step AND viewed) AS after_view
    FROM reached
    GROUP BY date, step_index, step
)
SELECT
    date,
    CAST(step_index AS BIGINT) AS step_index,
    step,
    sessions,
    inferred,
    after_previous,
    after_view,
    CASE WHEN step_index > 1 THEN CAST(after_previous AS DOUBLE) / nullif(with_previous, 0) END AS rate_from_previous,
    CAST(after_view AS DOUBLE) / nullif(with_view, 0) AS rate_from_start
FROM counted
