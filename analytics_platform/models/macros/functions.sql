-- The functions that models share and that differ from engine to engine. Each engine defines them once.
-- A macro's argument is copied to every place that names it. Where it is named more than once, it is put into a list of one
-- element and the body is a lambda over it: without, one price read from JSON took half a second to plan.
-- surrogate_key: BIGINT hash of a business key, -1 (the unknown member) for a missing one. client_key: the same of a client
-- or person, -1 also for one that was erased. A product may be called so.
-- page_key: the key of a page by its host, which a relative address has not, and its path. device_key: -1 where nothing is
-- known of the device. promotion_key: -1 where an event names nothing of it; texts never run into each other, since no
-- hash has a `|`. variant_key: null without a variant, which surrogate_key would make the unknown member.
-- micros: microseconds since 1970 of a time. json_list: the text if it is a JSON array, else null.
-- fields_of: the fields of an event's JSON object as text. It is parsed once for all of them.
-- items_of: the items of a JSON array with their fields as text. The array is parsed once: an event may have tens of
-- thousands of items, and parsing it again for each field of each takes quadratic time and memory. numbered_items: the
-- same, each with its place from 0. promotions_of: the promotion of each item, one without any if there are no items.
-- whole: the text or number as a count, null if it is a fraction, negative, above 2^31 or not a number.
-- money: the text or number as an amount, null if it is not a number or ten billion or more. Far above any order, and far
-- enough below the limit of the type that no sum over orders overflows: one absurd event must not stop all later builds.
-- amount: the text as an amount as people write it: `1,299.00`, `$19.99`, `10 EUR`, `1.299,00`; null if it cannot be read.
-- `1,299` is a thousand and more, since JSON never writes a decimal comma; `1.299` is a little more than one. No thousands
-- begin with 0: the price of a kilo, `0,990`, was read as 990.
-- bare_amount: the text without currency and blanks around it, in ASCII's digits, and with `.00` for the dash of `12.-`. plain_number: a number with one point and no separators.
-- currency_beside: the pattern of a currency between two others. Its letters are ranges: to make `\p{L}{1,3}` ready took
-- 3 ms of CPU, once for every amount in a query, and within items anew for every 2,048 rows.
-- currency_code: the code (ISO 4217) that a text names by itself or by a sign, in upper case; null for a missing one.
-- A sign of several currencies ($, ¥, kr) stays as it is: which it means follows from the shop's (daily_rates.py).
-- currency_of_sign: the same, without the short way for the usual codes.
-- currency_in: the same for what stands beside the number in the text of an amount.
-- is_unreadable: whether the text is there and is no amount.
-- item_price: the price of an item, under the name of the web tracker or of GA4. item_quantity: its quantity, read as an
-- amount is, `2 Stk` too. pieces: the same, one where it is missing. whole_pieces: the same as a count, null where it is
-- missing or a fraction, 0 for what a purchase gives back. item_currency: the currency that the item itself names.
-- names_currency: whether items may name any.
-- item_currencies: the distinct currencies that items name.
-- share_of: one of several equal parts of an amount, by its place from 1. Rounded to a ten-thousandth, they add up exactly.
-- part_of: an amount's part of what counts of the total it is in, by how far amounts went with it. The parts of a total
-- that is cut make exactly what counts.
-- plain_name, ga4_name, is_known_event, needs_order, order_id: see contracts/event_names.py.
-- told_amount, other_currency: the same. names_products: whether a JSON array has an item with id or name.
-- spelled: the values of a JSON object under these names, each as plain_name writes it, in the order of the names.
-- named_item: a JSON array of the one item of this name, null without a name.
-- one_item: a JSON array of the one item a row is about, one piece of it.
-- item_pieces: the quantity of each item. item_values: price × quantity of each item. item_worths: the same in the shop's
-- currency by the rates of the day, each in its own currency, else in the event's, else in the shop's.
-- date_key: the day as a number, 20260131.
-- known: the text in Unicode NFC without the blanks around it, null if it says that the value is missing. The list is
-- MISSING in contracts/missing.py; a test compares the two.
-- order_key: the shop's name of an order, <client_id>/<transaction_id>. Ids of clients may have slashes, and so have order
-- numbers as 2026/0815: in the client's part `%2F` stands for a slash and `%25` for `%`. order_client, order_number: its
-- two ids; both null without a slash.
-- plain_id: an id as known gives it, 123 also where a number column wrote 123.0. known_id: an id of a client, user or
-- order, null also for 0, a UUID in lower case.
CREATE OR REPLACE TEMP MACRO known(value) AS
    CASE WHEN value IS NOT NULL THEN list_extract(list_transform(  -- most columns of most sources are null
        [regexp_replace(value, '^[\t-\r \x{00a0}]+|[\t-\r \x{00a0}]+$', '', 'g')],  -- trim() takes three times longer
        lambda trimmed:
            CASE
                WHEN lower(trimmed) IN (
                    '', 'null', 'none', 'nil', 'nan', 'n/a', 'undefined', '(not set)', '(none)', '[object object]',
                    '#n/a', '<na>', '<null>', '\n', '-', '--',
                    '00000000-0000-0000-0000-000000000000'
                )
                    THEN NULL
                -- NFC changes nothing below U+0300. To ask nfc_normalize() of each `ä` took half of the time.
                WHEN strlen(trimmed) > length(trimmed) AND regexp_matches(trimmed, '[^\x{0000}-\x{02ff}]')
                    THEN nfc_normalize(trimmed)
                ELSE trimmed
            END
    ), 1) END;
CREATE OR REPLACE TEMP MACRO plain_id(value) AS
    regexp_replace(known(value), '^([0-9]+)[.]0$', '\1');
CREATE OR REPLACE TEMP MACRO known_id(value) AS
    list_transform(
        [nullif(plain_id(value), '0')],
        lambda id: CASE
            WHEN length(id) = 36 AND regexp_matches(id, '^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$')
                THEN lower(id)
            ELSE id
        END
    )[1];
CREATE OR REPLACE TEMP MACRO order_key(client_id, transaction_id) AS
    replace(replace(client_id, '%', '%25'), '/', '%2F') || '/' || transaction_id;
CREATE OR REPLACE TEMP MACRO order_client(shop_key) AS
    known_id(replace(replace(regexp_extract(shop_key, '^([^/]*)/', 1), '%2F', '/'), '%25', '%'));
CREATE OR REPLACE TEMP MACRO order_number(shop_key) AS
    known_id(substr(shop_key, length(split_part(shop_key, '/', 1)) + 2));
CREATE OR REPLACE TEMP MACRO spelled(document, names) AS
    list_transform(
        flatten(list_transform(
            names, lambda name: list_filter(json_keys(document), lambda key: plain_name(key) = name)
        )),
        lambda key: json_extract_string(document, '/' || replace(replace(key, '~', '~0'), '/', '~1'))
    );
CREATE OR REPLACE TEMP MACRO surrogate_key(business_key) AS
    coalesce(CAST('0x' || substr(md5(business_key), 1, 15) AS BIGINT), -1);
CREATE OR REPLACE TEMP MACRO client_key(client) AS
    CASE
        WHEN client LIKE 'erased:%' AND regexp_matches(client, '^erased:[0-9a-f]{16}$') THEN -1
        ELSE surrogate_key(client)
    END;
CREATE OR REPLACE TEMP MACRO page_key(host, path) AS surrogate_key(coalesce(host, '') || path);
CREATE OR REPLACE TEMP MACRO device_key(device_type, os, browser) AS
    CASE
        WHEN device_type = 'unknown' AND os IS NULL AND browser IS NULL THEN -1
        ELSE surrogate_key(device_type || '|' || coalesce(os, 'unknown') || '|' || coalesce(browser, 'unknown'))
    END;
CREATE OR REPLACE TEMP MACRO promotion_key(promotion_id, promotion_name, creative_name, creative_slot) AS
    CASE
        WHEN coalesce(promotion_id, promotion_name, creative_name, creative_slot) IS NULL THEN -1
        ELSE surrogate_key(
            coalesce(md5(promotion_id), '') || '|' || coalesce(md5(promotion_name), '') || '|'
            || coalesce(md5(creative_name), '') || '|' || coalesce(creative_slot, '')
        )
    END;
CREATE OR REPLACE TEMP MACRO micros(instant) AS epoch_us(instant);
CREATE OR REPLACE TEMP MACRO json_list(document) AS
    CASE WHEN regexp_matches(document, '^[ \t\r\n]*\[') AND json_valid(document) THEN document END;
CREATE OR REPLACE TEMP MACRO fields_of(document) AS
    from_json(
        document,
        '{
            "revenue": "VARCHAR", "value": "VARCHAR", "total": "VARCHAR", "currency": "VARCHAR", "items": "VARCHAR",
            "item_list_id": "VARCHAR", "list_id": "VARCHAR", "item_list_name": "VARCHAR", "list_name": "VARCHAR",
            "tax": "VARCHAR", "shipping": "VARCHAR", "discount": "VARCHAR", "coupon": "VARCHAR",
            "search_term": "VARCHAR", "query": "VARCHAR", "page_title": "VARCHAR",
            "promotion_id": "VARCHAR", "promotion_name": "VARCHAR", "creative_name": "VARCHAR", "creative_slot": "VARCHAR"
        }'
    );
CREATE OR REPLACE TEMP MACRO items_of(document) AS
    from_json(
        document,
        '[{
            "item_id": "VARCHAR", "item_name": "VARCHAR", "item_brand": "VARCHAR", "item_category": "VARCHAR",
            "item_variant": "VARCHAR", "price": "VARCHAR", "item_price": "VARCHAR", "quantity": "VARCHAR",
            "currency": "VARCHAR", "discount": "VARCHAR", "coupon": "VARCHAR", "item_list_id": "VARCHAR",
            "item_list_name": "VARCHAR", "index": "VARCHAR", "item_list_index": "VARCHAR"
        }]'
    );
CREATE OR REPLACE TEMP MACRO names_products(document) AS
    coalesce(list_bool_or(list_transform(
        items_of(document),
        lambda item: known(struct_extract(item, 'item_id')) IS NOT NULL OR known(struct_extract(item, 'item_name')) IS NOT NULL
    )), FALSE);
CREATE OR REPLACE TEMP MACRO promotions_of(document) AS
    from_json(
        CASE WHEN json_array_length(document) > 0 THEN document ELSE '[{}]' END,
        '[{
            "promotion_id": "VARCHAR", "promotion_name": "VARCHAR", "creative_name": "VARCHAR", "creative_slot": "VARCHAR"
        }]'
    );
CREATE OR REPLACE TEMP MACRO variant_key(product_id, variant) AS
    CASE WHEN variant IS NOT NULL THEN surrogate_key(md5(product_id) || '/' || variant) END;
CREATE OR REPLACE TEMP MACRO variants_of(document) AS from_json(document, '[{"variant": "VARCHAR", "price": "VARCHAR"}]');
CREATE OR REPLACE TEMP MACRO numbered_items(document) AS
    list_transform(
        items_of(document), lambda item, place: {'item_index': CAST(place - 1 AS BIGINT), 'item': item}
    );
CREATE OR REPLACE TEMP MACRO whole(number_text) AS
    list_transform(
        [TRY_CAST(number_text AS DECIMAL(18, 4))],
        lambda number: CASE WHEN number = floor(number) AND number BETWEEN 0 AND 2147483647 THEN CAST(number AS BIGINT) END
    )[1];
CREATE OR REPLACE TEMP MACRO money(amount) AS CAST(TRY_CAST(amount AS DECIMAL(14, 4)) AS DECIMAL(18, 4));
CREATE OR REPLACE TEMP MACRO currency_beside(before, after) AS
    before
    || '(?:[A-Za-z]{0,3}\p{Sc}|(?i:euros?|franken|dollars?)|[A-Za-z\x{00c0}-\x{00d6}\x{00d8}-\x{00f6}\x{00f8}-\x{02af}'
    || '\x{0388}-\x{0481}\x{048a}-\x{0588}\x{05d0}-\x{05ea}\x{0620}-\x{064a}\x{066e}-\x{06d3}\x{0904}-\x{0939}'
    || '\x{0985}-\x{09b9}\x{0e01}-\x{0eb3}\x{10a0}-\x{10fa}\x{1200}-\x{135a}\x{1780}-\x{17b3}\x{1e00}-\x{1fbc}'
    || '\x{3041}-\x{30fa}\x{3400}-\x{4dbf}\x{4e00}-\x{9fff}\x{ac00}-\x{d7a3}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}]{1,3}\.?)'
    || after;
CREATE OR REPLACE TEMP MACRO bare_amount(amount_text) AS
    regexp_replace(
        regexp_replace(
            regexp_replace(
                translate(trim(amount_text), '０１２３４５６７８９．，－＋', '0123456789.,-+'),
                '([0-9][.,])[-–—]+([^0-9]|$)',
                '\100\2'
            ),
            currency_beside('^([-+]?)[ \x{00a0}]*', '[ \x{00a0}]*'),
            '\1'
        ),
        currency_beside('[ \x{00a0}\x{202f}]*', '$'),
        ''
    );
CREATE OR REPLACE TEMP MACRO plain_number(number_text) AS
    CASE
        WHEN regexp_matches(number_text, '^[-+]?[0-9]*\.?[0-9]+$') THEN number_text
        WHEN regexp_matches(
            number_text,
            '^[-+]?[1-9][0-9]{0,2}(?:[, ''’\x{00a0}\x{202f}][0-9]{2,3})*[, ''’\x{00a0}\x{202f}][0-9]{3}(?:\.[0-9]*)?$'
        ) THEN regexp_replace(number_text, '[^-0-9.]', '', 'g')
        WHEN regexp_matches(number_text, '^[-+]?[1-9][0-9]{0,2}(?:\.[0-9]{3}){2,}$') THEN replace(number_text, '.', '')
        WHEN regexp_matches(
            number_text, '^[-+]?(?:[0-9]*|[1-9][0-9]{0,2}(?:[. ''’\x{00a0}\x{202f}][0-9]{3})+),[0-9]*$'
        ) THEN replace(regexp_replace(number_text, '[^-0-9,]', '', 'g'), ',', '.')
    END;
CREATE OR REPLACE TEMP MACRO amount(amount_text) AS
    coalesce(
        money(amount_text),
        CASE
            WHEN amount_text IS NOT NULL
                THEN list_transform([bare_amount(amount_text)], lambda bare: money(plain_number(bare)))[1]
        END
    );
CREATE OR REPLACE TEMP MACRO is_unreadable(amount_text) AS
    known(amount_text) IS NOT NULL AND amount(amount_text) IS NULL;
CREATE OR REPLACE TEMP MACRO currency_of_sign(sign_text) AS
    CASE WHEN sign_text IS NOT NULL THEN list_transform(
        [upper(known(sign_text))],
        lambda sign: CASE WHEN sign NOT IN ('INF', '-INF', 'INFINITY', '-INFINITY') THEN coalesce(
            MAP {
                '€': 'EUR', '£': 'GBP', '￥': '¥', '円': 'JPY', '元': 'CNY', 'CN¥': 'CNY', 'RMB': 'CNY', 'JP¥': 'JPY',
                'US$': 'USD', 'C$': 'CAD', 'CA$': 'CAD', 'A$': 'AUD', 'AU$': 'AUD', 'NZ$': 'NZD', 'HK$': 'HKD', 'S$': 'SGD',
                'NT$': 'TWD', 'MX$': 'MXN', 'R$': 'BRL', 'FR': 'CHF', 'SFR': 'CHF', 'ZŁ': 'PLN', 'KČ': 'CZK', 'FT': 'HUF',
                'LEI': 'RON', 'ЛВ': 'BGN', '₹': 'INR', '₽': 'RUB', 'РУБ': 'RUB', '₺': 'TRY', 'TL': 'TRY', '₴': 'UAH',
                'EURO': 'EUR', 'EUROS': 'EUR', 'FRANKEN': 'CHF', 'DOLLAR': '$', 'DOLLARS': '$',
                '₪': 'ILS', '₩': 'KRW', '₫': 'VND', '₱': 'PHP', '฿': 'THB', '₦': 'NGN', '₸': 'KZT', '₡': 'CRC'
            }[sign],
            nullif(
                regexp_replace(
                    regexp_extract(sign, '^[A-Z]{3}(?:[^A-Z]|$)|(?:[^A-Z]|^)[A-Z]{3}$'), '[^A-Z]', '', 'g'
                ),
                ''
            ),
            sign
        ) END
    )[1] END;
CREATE OR REPLACE TEMP MACRO currency_code(currency_text) AS
    CASE  -- nearly all are written so
        WHEN currency_text IN ('EUR', 'USD', 'GBP', 'CHF', 'JPY', 'CAD', 'AUD', 'PLN', 'SEK', 'DKK') THEN currency_text
        ELSE currency_of_sign(currency_text)
    END;
CREATE OR REPLACE TEMP MACRO currency_in(amount_text) AS
    CASE WHEN amount_text IS NOT NULL AND money(amount_text) IS NULL THEN list_transform(
        [known(amount_text)],
        lambda written: CASE
            WHEN money(written) IS NULL
                THEN currency_of_sign(regexp_replace(written, '[-+0-9., ''’–—\x{00a0}\x{202f}０-９．，－＋]', '', 'g'))
        END
    )[1] END;
CREATE OR REPLACE TEMP MACRO item_price(item) AS
    amount(coalesce(known(struct_extract(item, 'item_price')), known(struct_extract(item, 'price'))));
CREATE OR REPLACE TEMP MACRO item_quantity(item) AS
    CAST(amount(struct_extract(item, 'quantity')) AS DECIMAL(20, 4));
CREATE OR REPLACE TEMP MACRO pieces(item) AS
    CASE WHEN known(struct_extract(item, 'quantity')) IS NULL THEN 1 ELSE item_quantity(item) END;
CREATE OR REPLACE TEMP MACRO whole_pieces(item, is_refund) AS
    list_transform(
        [item_quantity(item)],
        lambda quantity: whole(CASE WHEN is_refund THEN abs(quantity) WHEN quantity < 0 THEN 0 ELSE quantity END)
    )[1];
CREATE OR REPLACE TEMP MACRO item_currency(item) AS
    coalesce(
        currency_code(struct_extract(item, 'currency')),
        currency_in(
            coalesce(known(struct_extract(item, 'item_price')), known(struct_extract(item, 'price')))
        )
    );
CREATE OR REPLACE TEMP MACRO names_currency(document) AS
    regexp_matches(document, '"currency"|price"[ ]*:[ ]*"');
CREATE OR REPLACE TEMP MACRO item_currencies(document) AS
    list_distinct(
        list_transform(items_of(document), lambda item: item_currency(item))
    );
CREATE OR REPLACE TEMP MACRO share_of(whole_amount, place, parts) AS
    CAST(
        CAST(
            CAST(whole_amount * 10000 AS BIGINT) * place // parts
            - CAST(whole_amount * 10000 AS BIGINT) * (place - 1) // parts AS DECIMAL(18, 0)
        ) * CAST(0.0001 AS DECIMAL(5, 4)) AS DECIMAL(18, 4)
    );
CREATE OR REPLACE TEMP MACRO part_of(asked, so_far, total, counted) AS
    CASE
        WHEN total <= counted THEN asked
        ELSE money(so_far * counted / total) - money((so_far - asked) * counted / total)
    END;
CREATE OR REPLACE TEMP MACRO item_pieces(document) AS
    list_transform(items_of(document), lambda item: pieces(item));
CREATE OR REPLACE TEMP MACRO item_values(document) AS
    list_transform(items_of(document), lambda item: money(item_price(item) * pieces(item)));
CREATE OR REPLACE TEMP MACRO item_worths(document, event_currency, rates) AS
    list_transform(
        items_of(document),
        lambda item: money(item_price(item) * pieces(item) * list_transform(
            [coalesce(item_currency(item), event_currency)],
            lambda code: CASE WHEN code IS NULL THEN 1 ELSE rates[code] END
        )[1])
    );
CREATE OR REPLACE TEMP MACRO date_key(calendar_day) AS
    CAST(year(calendar_day) * 10000 + month(calendar_day) * 100 + day(calendar_day) AS BIGINT);
CREATE OR REPLACE TEMP MACRO named_item(item_name) AS
    CASE WHEN item_name IS NOT NULL THEN CAST(json_array(json_object('item_name', item_name)) AS VARCHAR) END;
CREATE OR REPLACE TEMP MACRO one_item(item_id, item_brand, item_category, price) AS
    CASE
        WHEN item_id IS NOT NULL THEN CAST(
            json_array(json_object(
                'item_id', item_id, 'item_brand', item_brand, 'item_category', item_category, 'price', price, 'quantity', 1
            )) AS VARCHAR
        )
    END;
