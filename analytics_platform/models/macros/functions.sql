-- The functions that models share and that differ from engine to engine. Each engine defines them once.
-- surrogate_key: BIGINT hash of a business key, -1 (the unknown member) for a missing one.
-- micros: microseconds since 1970 of a time. json_list: the text if it is a JSON array, else null.
-- whole: the text as a whole number, null if it is a fraction or not a number.
CREATE OR REPLACE TEMP MACRO surrogate_key(business_key) AS
    coalesce(CAST('0x' || substr(md5(business_key), 1, 15) AS BIGINT), -1);
CREATE OR REPLACE TEMP MACRO micros(instant) AS epoch_us(instant);
CREATE OR REPLACE TEMP MACRO json_list(document) AS
    CASE WHEN json_valid(document) THEN CASE WHEN json_type(document) = 'ARRAY' THEN document END END;
CREATE OR REPLACE TEMP MACRO whole(number_text) AS
    CASE
        WHEN TRY_CAST(number_text AS DECIMAL(18, 4)) = floor(TRY_CAST(number_text AS DECIMAL(18, 4)))
            THEN CAST(TRY_CAST(number_text AS DECIMAL(18, 4)) AS BIGINT)
    END;
