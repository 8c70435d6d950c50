-- Grain: one row per default channel group of GA4, and the unknown member.
WITH channels AS (
    SELECT
        channel,
        is_paid
    FROM (
        VALUES
        ('Direct', FALSE),
        ('Cross-network', TRUE),
        ('Paid Shopping', TRUE),
        ('Paid Search', TRUE),
        ('Paid Social', TRUE),
        ('Paid Video', TRUE),
        ('Display', TRUE),
        ('Paid Other', TRUE),
        ('Organic Shopping', FALSE),
        ('Organic Social', FALSE),
        ('Organic Video', FALSE),
        ('Organic Search', FALSE),
        ('Referral', FALSE),
        ('Email', FALSE),
        ('Affiliates', FALSE),
        ('Audio', FALSE),
        ('SMS', FALSE),
        ('Mobile Push Notifications', FALSE),
        ('Unassigned', FALSE)
    ) AS listed (channel, is_paid)
)
SELECT
    surrogate_key(channel) AS channel_key,
    channel,
    is_paid
FROM channels
UNION ALL
SELECT -1, '(not set)', FALSE
