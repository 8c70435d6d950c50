-- Grain: one row per promotion, creative and slot that an event ever named together, and the unknown member.
-- Rules: an item's promotion is its own, else the event's, as in fact_promotions. Names are as events give them, so that
-- no row depends on another day.
WITH items AS (
    SELECT
        promotion_id,
        promotion_name,
        creative_name,
        creative_slot,
        unnest(promotions_of(items_json)) AS item
    FROM cleaned.events
    WHERE event_name IN ('view_promotion', 'select_promotion')
),
named AS (
    SELECT DISTINCT
        coalesce(plain_id(struct_extract(item, 'promotion_id')), promotion_id) AS promotion_id,
        coalesce(known(struct_extract(item, 'promotion_name')), promotion_name) AS promotion_name,
        coalesce(known(struct_extract(item, 'creative_name')), creative_name) AS creative_name,
        coalesce(known(struct_extract(item, 'creative_slot')), creative_slot) AS creative_slot
    FROM items
)
SELECT
    promotion_key(promotion_id, promotion_name, creative_name, creative_slot) AS promotion_key,
    promotion_id,
    promotion_name,
    creative_name,
    creative_slot
FROM named
WHERE coalesce(promotion_id, promotion_name, creative_name, creative_slot) IS NOT NULL
UNION ALL
SELECT -1, '(not set)', NULL, NULL, NULL
