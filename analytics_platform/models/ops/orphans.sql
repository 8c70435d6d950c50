-- Grain: one row per user in interaction logs who is not a known customer.
-- Rules: a user is removed from here as soon as the users API or the shop's database has it.
SELECT
    totals.user_id,
    totals.log_interactions,
    totals.first_seen_at,
    totals.last_active_at
FROM sessionized.user_totals AS totals
LEFT JOIN cleaned.users AS users ON totals.user_id = users.user_id
WHERE totals.log_interactions > 0 AND users.user_id IS NULL
