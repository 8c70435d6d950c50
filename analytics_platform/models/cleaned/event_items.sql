-- Grain: one row per item of an event, in the order the event lists them.
-- Rules: prices are in the shop's currency, unknown without a rate. An item's currency is its own, else the event's. The
-- amount of a line of a purchase or refund is its price × quantity (one piece where that is missing), or its price
-- where the prices are the lines' totals: price × quantity makes more than the event's amount, and the prices alone make
-- it but for a cent a line (rounding), or at least four fifths of it (the rest is shipping) where price × quantity would
-- make more than five fourths (a smaller excess is taken for a discount). Lines without price share
-- what is left of a value that the event names, each the same. Lines of a purchase of unknown amount are unknown.
-- Field names of the web tracker (item_price, item_variant …) and of GA4 are both read. A quantity that is not a count
-- is left empty, that of a line which a purchase gives back is 0. An item without fields is kept.
WITH listing AS (
    SELECT
        event_id,
        event_date,
        list_id,
        list_name,
        CASE WHEN amount_basis IS NOT NULL OR is_refund THEN TRUE ELSE FALSE END AS is_sale,
        is_refund,
        amount_basis,
        abs(amount) AS total,
        currency,
        price_currency,
        exchange_rate,
        names_currency(items_json) AS names_currency,  -- beside unnest() it would be asked once for each item
        numbered_items(items_json) AS every
    FROM cleaned.events
    WHERE items_json IS NOT NULL
),
listed AS (
    SELECT
        *,
        unnest(every) AS numbered
    FROM listing
),
items AS (
    SELECT
        *,
        struct_extract(numbered, 'item_index') AS item_index,
        struct_extract(numbered, 'item') AS item,
        CASE
            WHEN names_currency THEN coalesce(item_currency(struct_extract(numbered, 'item')), price_currency)
        END AS code
    FROM listed
),
rated AS (
    SELECT
        items.*,
        CASE WHEN is_refund THEN abs(item_price(item)) ELSE item_price(item) END AS named_price,
        CASE WHEN code IS NULL OR code = items.currency THEN exchange_rate ELSE rates.rate END AS item_rate
    FROM items
    LEFT JOIN cleaned.daily_rates AS rates ON items.event_date = rates.event_date AND items.code = rates.currency
),
lines AS (
    SELECT
        event_id,
        item_index,
        is_refund,
        amount_basis,
        total,
        exchange_rate,
        CASE
            WHEN code IS NULL OR code = currency THEN named_price
            ELSE money(named_price * item_rate / exchange_rate)
        END AS price,
        CASE WHEN is_refund THEN abs(pieces(item)) ELSE pieces(item) END AS pieces
    FROM rated
    WHERE is_sale
),
sums AS (
    SELECT
        event_id,
        sum(price * pieces) AS by_piece,
        sum(price) AS by_line,
        count(price) * 0.01 AS cents,
        count(*) - count(price) AS unpriced
    FROM lines
    GROUP BY event_id
),
based AS (
    SELECT
        lines.event_id,
        lines.item_index,
        lines.total,
        lines.price,
        lines.pieces,
        lines.exchange_rate,
        sums.unpriced,
        CASE
            WHEN lines.price IS NULL THEN CASE WHEN lines.amount_basis = 'value' THEN 'shared' END
            WHEN
                sums.by_piece > lines.total + sums.cents
                AND sums.by_line <= lines.total + sums.cents
                AND (
                    sums.by_line >= lines.total - sums.cents
                    OR (sums.by_line >= lines.total * 0.8 AND sums.by_piece > lines.total * 1.25)
                    OR sums.unpriced > 0
                )
                THEN 'line total'
            ELSE 'unit price'
        END AS amount_basis,
        count(*) FILTER (WHERE lines.price IS NULL) OVER (
            PARTITION BY lines.event_id ORDER BY lines.item_index ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS place
    FROM lines
    INNER JOIN sums ON lines.event_id = sums.event_id
),
priced AS (
    SELECT
        *,
        CASE amount_basis WHEN 'line total' THEN price WHEN 'unit price' THEN money(price * pieces) END AS amount
    FROM based
),
valued AS (
    SELECT
        event_id,
        item_index,
        amount_basis,
        money(exchange_rate * CASE amount_basis
            WHEN 'shared' THEN share_of(
                greatest(total - coalesce(sum(amount) OVER (PARTITION BY event_id), 0), 0), place, greatest(unpriced, 1)
            )
            ELSE amount
        END) AS amount
    FROM priced
)
SELECT
    rated.event_id,
    rated.item_index,
    rated.event_date,
    plain_id(struct_extract(item, 'item_id')) AS product_id,
    known(struct_extract(item, 'item_name')) AS product_name,
    known(struct_extract(item, 'item_brand')) AS brand,
    known(struct_extract(item, 'item_category')) AS category,
    known(struct_extract(item, 'item_variant')) AS variant,
    money(named_price * item_rate) AS price,
    whole_pieces(item, is_refund) AS quantity,
    money(amount(struct_extract(item, 'discount')) * item_rate) AS discount,
    known(struct_extract(item, 'coupon')) AS coupon,
    coalesce(known(struct_extract(item, 'item_list_id')), list_id) AS list_id,
    coalesce(known(struct_extract(item, 'item_list_name')), list_name) AS list_name,
    whole(
        coalesce(struct_extract(item, 'index'), struct_extract(item, 'item_list_index'))
    ) AS list_index,
    valued.amount,
    valued.amount_basis
FROM rated
LEFT JOIN valued ON rated.event_id = valued.event_id AND rated.item_index = valued.item_index
