-- GA4's default channel group of a visit, by Google's published rules, manual traffic included.
--
--   source, medium, campaign   as tagged or derived, any case; null counts as empty
--   category                   of the source: 'search', 'social', 'shopping', 'video' or null
--
-- The first rule that matches wins. A comparison with null is not true, so a null never matches.
--   PAID   medium ~ ^(.*cp.*|ppc|retargeting|paid.*)$, written as LIKE and IN
--   SHOP   campaign ~ ^(.*(([^a-df-z]|^)shop|shopping).*)$: «shop» at its start or after anything but a letter
--          other than e («eshop»), or «shopping» anywhere
-- A visit with no source, medium or campaign at all is Direct too. A campaign name alone says that somebody tagged
-- the link, so it goes through the rules like any other.
-- Portable: LOWER, LIKE, IN and one REGEXP_MATCHES without options, which other dialects have under other names.
CREATE OR REPLACE TEMP MACRO channel(source, medium, campaign, category) AS
CASE
    WHEN LOWER(source) = '(direct)' AND LOWER(COALESCE(medium, '')) IN ('', '(none)', '(not set)')
        THEN 'Direct'
    WHEN COALESCE(source, '') = '' AND LOWER(COALESCE(medium, '')) IN ('', '(none)', '(not set)')
        AND LOWER(COALESCE(campaign, '')) IN ('', '(direct)', '(none)', '(not set)')
        THEN 'Direct'
    WHEN LOWER(campaign) LIKE '%cross-network%'
        THEN 'Cross-network'
    WHEN LOWER(medium) LIKE '%cp%' OR LOWER(medium) LIKE 'paid%' OR LOWER(medium) IN ('ppc', 'retargeting')
        THEN CASE
            WHEN category = 'shopping' OR REGEXP_MATCHES(LOWER(campaign), '(^|[^a-df-z])shop|shopping')
                THEN 'Paid Shopping'
            WHEN category = 'search' THEN 'Paid Search'
            WHEN category = 'social' THEN 'Paid Social'
            WHEN category = 'video' THEN 'Paid Video'
            WHEN LOWER(medium) IN ('display', 'banner', 'expandable', 'interstitial', 'cpm') THEN 'Display'
            ELSE 'Paid Other'
        END
    WHEN LOWER(medium) IN ('display', 'banner', 'expandable', 'interstitial', 'cpm')
        THEN 'Display'
    WHEN category = 'shopping' OR REGEXP_MATCHES(LOWER(campaign), '(^|[^a-df-z])shop|shopping')
        THEN 'Organic Shopping'
    WHEN category = 'social'
        OR LOWER(medium) IN (
            'social', 'social-network', 'social-media', 'sm', 'social network', 'social media'
        )
        THEN 'Organic Social'
    WHEN category = 'video' OR LOWER(medium) LIKE '%video%'
        THEN 'Organic Video'
    WHEN category = 'search' OR LOWER(medium) = 'organic'
        THEN 'Organic Search'
    WHEN LOWER(medium) IN ('referral', 'app', 'link')
        THEN 'Referral'
    WHEN LOWER(source) IN ('email', 'e-mail', 'e_mail', 'e mail')
        OR LOWER(medium) IN ('email', 'e-mail', 'e_mail', 'e mail')
        THEN 'Email'
    WHEN LOWER(medium) = 'affiliate'
        THEN 'Affiliates'
    WHEN LOWER(medium) = 'audio'
        THEN 'Audio'
    WHEN LOWER(source) = 'sms' OR LOWER(medium) = 'sms'
        THEN 'SMS'
    WHEN LOWER(medium) LIKE '%push' OR LOWER(medium) LIKE '%mobile%' OR LOWER(medium) LIKE '%notification%'
        OR LOWER(source) = 'firebase'
        THEN 'Mobile Push Notifications'
    ELSE 'Unassigned'
END
