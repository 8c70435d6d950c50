-- Grain: one row per event of any source.
-- Rules: sources.events is replaced by the events.sql of every source, each with the name of the source. All events are
-- enriched in the same way. Event names are GA4's; unknown ones are kept and flagged. The traffic source is that of an
-- ad click which its network tags itself (gclid, msclkid …), else utm_*, else another ad click, else a foreign referrer,
-- else the network whose parameter is on all its links (fbclid). A referrer of the page's own domain, of OWN_DOMAINS or
-- of IGNORED_REFERRERS is none. Amount and order number are read from purchases and refunds only; a missing amount is the
-- sum of the items. Revenue is a purchase's amount in the shop's currency, unknown without a rate; a purchase with a
-- negative amount is a refund.
WITH addresses AS (
    SELECT
        event_date,
        url,
        path,
        domain,
        utm_source,
        utm_medium,
        utm_campaign,
        coalesce(utm_source, utm_medium, utm_campaign) IS NOT NULL AS is_tagged,
        click_source,
        click_medium,
        click_kind,
        site,
        role,
        CASE WHEN site_category = 'search' THEN 'organic' ELSE 'referral' END AS site_medium
    FROM cleaned.urls
),
enriched AS (
    SELECT
        events.*,
        page.path AS page_path,
        page.utm_source,
        page.utm_medium,
        page.utm_campaign,
        coalesce(page.is_tagged, FALSE) AS is_tagged,
        page.click_source,
        page.click_medium,
        coalesce(page.click_kind, '') AS click_kind,
        CASE WHEN origin.role IS NULL AND (page.domain IS NULL OR page.domain <> origin.domain) THEN origin.site END
            AS foreign_site,
        origin.site_medium AS foreign_medium,
        agent.device_type AS agent_device_type,
        agent.os AS agent_os,
        agent.browser,
        CASE WHEN events.event_name IN ('purchase', 'refund') THEN coalesce(revenue, items_value(items_json)) END AS amount,
        CASE WHEN events.currency IS NULL AND rates.currency IS NULL THEN 1 ELSE rates.rate END AS exchange_rate,
        agent.is_bot
    FROM sources.events AS events
    LEFT JOIN addresses AS page ON events.event_date = page.event_date AND events.page_url = page.url
    LEFT JOIN addresses AS origin ON events.event_date = origin.event_date AND events.referrer = origin.url
    LEFT JOIN cleaned.user_agents AS agent
        ON events.event_date = agent.event_date AND events.user_agent = agent.user_agent
    LEFT JOIN cleaned.daily_rates AS rates
        ON events.event_date = rates.event_date AND coalesce(events.currency, '') = rates.currency
)
SELECT
    event_id,
    source,
    client_id,
    user_id,
    event_name,
    coalesce(raw_event_name, event_name) AS raw_event_name,
    is_known_event(event_name) AS is_known_event,
    event_at,
    event_date,
    received_at,
    platform,
    page_url,
    page_path,
    referrer,
    utm_source,
    utm_medium,
    utm_campaign,
    CASE
        WHEN click_kind = 'auto' THEN click_source
        WHEN is_tagged THEN coalesce(utm_source, click_source, '(not set)')
        WHEN click_kind = 'paid' THEN click_source
        ELSE coalesce(foreign_site, click_source)
    END AS traffic_source,
    CASE
        WHEN click_kind = 'auto' THEN click_medium
        WHEN is_tagged THEN coalesce(utm_medium, CASE WHEN click_kind = 'paid' THEN click_medium END, '(not set)')
        WHEN click_kind = 'paid' OR foreign_site IS NULL THEN click_medium
        ELSE foreign_medium
    END AS traffic_medium,
    CASE WHEN is_tagged THEN utm_campaign END AS traffic_campaign,
    coalesce(agent_device_type, device_type, 'unknown') AS device_type,
    coalesce(agent_os, os) AS os,
    browser,
    is_bot,
    CASE WHEN event_name IN ('purchase', 'refund') THEN known_id(transaction_id) END AS transaction_id,
    amount,
    currency,
    CAST(exchange_rate AS DECIMAL(20, 10)) AS exchange_rate,
    CASE WHEN event_name = 'purchase' AND amount >= 0 THEN money(amount * exchange_rate) END AS revenue,
    known(list_id) AS list_id,
    known(list_name) AS list_name,
    items_json,
    position,
    batch_id
FROM enriched
