-- The functions that models share and that differ from engine to engine. Each engine defines them once.
-- surrogate_key: BIGINT hash of a business key, -1 (the unknown member) for a missing one.
-- micros: microseconds since 1970 of a time. json_list: the text if it is a JSON array, else null.
-- numbered_items: the elements of a JSON array, each with its place from 0. Taken apart in one go: an event may carry
-- tens of thousands, and reading the array again for each of them takes time and memory with their square.
-- whole: the text as a count, null if it is a fraction, negative, above 2^31 or not a number.
-- money: the text or number as an amount, null if it is not a number or ten billion or more. Far above any order, and far
-- enough below the limit of the type that no sum over orders overflows: one absurd event must not stop all later builds.
CREATE OR REPLACE TEMP MACRO surrogate_key(business_key) AS
    coalesce(CAST('0x' || substr(md5(business_key), 1, 15) AS BIGINT), -1);
CREATE OR REPLACE TEMP MACRO micros(instant) AS epoch_us(instant);
CREATE OR REPLACE TEMP MACRO json_list(document) AS
    CASE WHEN json_valid(document) THEN CASE WHEN json_type(document) = 'ARRAY' THEN document END END;
CREATE OR REPLACE TEMP MACRO numbered_items(document) AS
    list_transform(
        CAST(json_extract(document, '$[*]') AS JSON[]),
        lambda item, place: {'item_index': CAST(place - 1 AS BIGINT), 'item': item}
    );
CREATE OR REPLACE TEMP MACRO whole(number_text) AS
    CASE
        WHEN TRY_CAST(number_text AS DECIMAL(18, 4)) = floor(TRY_CAST(number_text AS DECIMAL(18, 4)))
            AND TRY_CAST(number_text AS DECIMAL(18, 4)) BETWEEN 0 AND 2147483647
            THEN CAST(TRY_CAST(number_text AS DECIMAL(18, 4)) AS BIGINT)
    END;
CREATE OR REPLACE TEMP MACRO money(amount) AS
    CASE
        WHEN abs(TRY_CAST(amount AS DECIMAL(18, 4))) < 10000000000 THEN TRY_CAST(amount AS DECIMAL(18, 4))
    END;
