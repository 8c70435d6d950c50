-- Grain: one row per event of any source.
-- Rules: sources.events is replaced by the events.sql of every source, each with the name of the source and GA4's
-- names of events. All events are enriched in the same way. Names that GA4 does not know are kept and flagged. The
-- traffic source is that of an ad click which its network tags itself (gclid, msclkid …), else utm_*, else another ad
-- click, else a foreign referrer, else the network whose parameter is on all its links (fbclid). What the tracker read of
-- utm_* and click ids counts where the page's address has none. A referrer of the page's
-- own domain, of OWN_DOMAINS, of a payment provider or of IGNORED_REFERRERS is none. Where the page has no host (a
-- relative address, or none), a referrer of a domain that other pages of the day have is none either. Amount and order
-- number are read from purchases and refunds only; a missing amount of a purchase is the sum of the items that have a
-- price, that of a refund only if all have one. Items in several currencies are converted one by one and added in the
-- shop's. A purchase with a negative value is a refund, and so is one whose items are worth less than nothing. Revenue is
-- the amount of another purchase in the shop's currency, unknown without a rate; so are tax, shipping and discount. A
-- search term is what a search names, else what the address of a page of the shop has, on the view of that page.
WITH addresses AS (
    SELECT
        event_date,
        url,
        host,
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
        search_term,
        CASE WHEN site_category = 'search' THEN 'organic' ELSE 'referral' END AS site_medium
    FROM cleaned.urls
),
days AS (
    SELECT
        event_date,
        max(shop_currency) AS shop_currency,
        map(list(currency), list(rate)) AS rates
    FROM cleaned.daily_rates
    GROUP BY event_date
),
sales AS (
    -- Functions over items are made ready anew for every 2,048 rows: over all events that took half of the time.
    SELECT
        events.event_date,
        events.event_id,
        days.shop_currency,
        days.rates,
        item_values(events.items_json) AS item_values,
        list_sum(item_pieces(events.items_json)) AS pieces,
        CASE WHEN names_currency(events.items_json) THEN item_currencies(events.items_json) END AS codes
    FROM sources.events AS events
    LEFT JOIN days ON events.event_date = days.event_date
    WHERE events.event_name IN ('purchase', 'refund')
),
classified AS (
    SELECT
        events.*,
        sales.shop_currency,
        sales.rates,
        sales.item_values,
        coalesce(events.currency, CASE WHEN len(sales.codes) = 1 THEN sales.codes[1] END) AS code,
        coalesce(len(sales.codes) > 1 OR sales.codes[1] <> events.currency, FALSE) AS is_mixed,
        events.event_name = 'refund' OR (
            events.event_name = 'purchase'
            AND (
                coalesce(events.revenue < 0, FALSE) OR coalesce(list_sum(sales.item_values), sales.pieces, 0) < 0
            )
        ) AS gives_back
    FROM sources.events AS events
    LEFT JOIN sales ON events.event_date = sales.event_date AND events.event_id = sales.event_id
),
enriched AS (
    SELECT
        events.*,
        page.host AS page_host,
        page.path AS page_path,
        CASE WHEN page.domain IS NULL OR page.role IN ('own', 'page') THEN page.search_term END AS page_search_term,
        CASE WHEN page.is_tagged THEN page.utm_source ELSE tags.utm_source END AS utm_source,
        CASE WHEN page.is_tagged THEN page.utm_medium ELSE tags.utm_medium END AS utm_medium,
        CASE WHEN page.is_tagged THEN page.utm_campaign ELSE tags.utm_campaign END AS utm_campaign,
        coalesce(page.is_tagged, FALSE) OR coalesce(tags.is_tagged, FALSE) AS is_tagged,
        CASE WHEN page.click_kind IS NULL THEN tags.click_source ELSE page.click_source END AS click_source,
        CASE WHEN page.click_kind IS NULL THEN tags.click_medium ELSE page.click_medium END AS click_medium,
        coalesce(page.click_kind, tags.click_kind, '') AS click_kind,
        CASE
            WHEN
                coalesce(origin.role, 'page') = 'page'
                AND coalesce(page.domain <> origin.domain, origin.role IS NULL)
                THEN origin.site
        END AS foreign_site,
        origin.site_medium AS foreign_medium,
        agent.device_type AS agent_device_type,
        agent.os AS agent_os,
        agent.browser AS agent_browser,
        replace(lower(events.device_type), 'smart ', '') AS named_device,
        events.is_mixed AND events.revenue IS NULL AS is_converted,
        CASE
            WHEN events.is_mixed AND events.revenue IS NULL THEN item_worths(items_json, events.currency, events.rates)
            ELSE events.item_values
        END AS line_values,
        CASE
            WHEN events.is_mixed AND events.currency IS NULL AND events.revenue IS NOT NULL THEN NULL
            WHEN events.code IS NULL AND daily.currency IS NULL THEN 1
            ELSE daily.rate
        END AS rate,
        agent.is_bot
    FROM classified AS events
    LEFT JOIN addresses AS page ON events.event_date = page.event_date AND events.page_url = page.url
    LEFT JOIN addresses AS origin ON events.event_date = origin.event_date AND events.referrer = origin.url
    LEFT JOIN addresses AS tags ON events.event_date = tags.event_date AND events.campaign_tags = tags.url
    LEFT JOIN cleaned.user_agents AS agent
        ON events.event_date = agent.event_date AND events.user_agent = agent.user_agent
    LEFT JOIN cleaned.daily_rates AS daily
        ON events.event_date = daily.event_date AND coalesce(events.code, '') = daily.currency
),
signed AS (
    SELECT
        *,
        CASE
            WHEN
                event_name = 'purchase' AND is_converted AND list_count(line_values) = list_count(item_values)
                THEN coalesce(list_sum(line_values) < 0, gives_back)
            ELSE gives_back
        END AS is_refund
    FROM enriched
),
valued AS (
    SELECT
        *,
        CASE
            WHEN event_name NOT IN ('purchase', 'refund') THEN NULL
            WHEN revenue IS NOT NULL THEN revenue
            WHEN is_refund AND list_count(line_values) < len(line_values) THEN NULL
            WHEN is_converted AND list_count(line_values) < list_count(item_values) THEN NULL
            ELSE money(list_sum(line_values))
        END AS amount,
        CASE WHEN is_converted THEN 1 ELSE rate END AS exchange_rate
    FROM signed
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
    page_host,
    page_path,
    page_title,
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
    source_session_id,
    country,
    city,
    coalesce(
        agent_device_type,
        CASE WHEN named_device IN ('desktop', 'mobile', 'tablet', 'tv', 'console') THEN named_device END,
        'unknown'
    ) AS device_type,
    coalesce(agent_os, CASE os WHEN 'Macintosh' THEN 'Mac OS X' ELSE os END) AS os,
    coalesce(agent_browser, browser) AS browser,
    is_bot,
    CASE WHEN event_name IN ('purchase', 'refund') THEN transaction_id END AS transaction_id,
    amount,
    CASE WHEN amount IS NOT NULL THEN CASE WHEN revenue IS NULL THEN 'items' ELSE 'value' END END AS amount_basis,
    CASE WHEN is_converted THEN shop_currency ELSE code END AS currency,
    code AS price_currency,
    CAST(exchange_rate AS DECIMAL(20, 10)) AS exchange_rate,
    CASE WHEN event_name = 'purchase' AND NOT is_refund THEN money(amount * exchange_rate) END AS revenue,
    money(CASE WHEN event_name IN ('purchase', 'refund') THEN tax END * rate) AS tax,
    money(CASE WHEN event_name IN ('purchase', 'refund') THEN shipping END * rate) AS shipping,
    money(CASE WHEN event_name IN ('purchase', 'refund') THEN discount END * rate) AS discount,
    CASE WHEN event_name IN ('purchase', 'refund') THEN coupon END AS coupon,
    is_refund,
    CASE
        WHEN event_name NOT IN ('purchase', 'refund') OR money(amount * exchange_rate) IS NOT NULL THEN NULL
        WHEN revenue IS NULL AND coalesce(list_count(item_values), 0) = 0 THEN 'no value'
        WHEN is_mixed AND revenue IS NOT NULL AND code IS NULL THEN 'items in several currencies'
        WHEN amount IS NULL AND NOT is_converted THEN 'no value'
        WHEN shop_currency IS NULL THEN 'no SHOP_CURRENCY'
        ELSE 'no exchange rate'
    END AS unknown_reason,
    CASE
        WHEN event_name IN ('search', 'view_search_results') THEN coalesce(search_term, page_search_term)
        WHEN event_name = 'page_view' THEN page_search_term
    END AS search_term,
    list_id,
    list_name,
    promotion_id,
    promotion_name,
    creative_name,
    creative_slot,
    items_json,
    position,
    batch_id
FROM valued
