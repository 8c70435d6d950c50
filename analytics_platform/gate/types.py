"""The one place that says how raw bytes become text, and text a value of each type a contract may promise.

Nothing is coerced: text that is not of the type becomes null, and the record is rejected for it. Only amounts are
rounded, to the decimals that the contract gives them.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import TypeAlias

import duckdb
import polars as pl

from analytics_platform.contracts.event_names import AMOUNTS_OF, spelled_pattern
from analytics_platform.contracts.missing import MISSING, UUID
from analytics_platform.gate.exact_json import unnested

INSTANT = pl.Datetime("us", "UTC")

_WHOLE = r"^-?[0-9]{1,18}$"
_NUMBER = r"^-?[0-9]{1,10}(\.[0-9]+)?$"
_MONEY = pl.Decimal(18, 4)

_NEVER = pl.Series([None], dtype=INSTANT)

Parser: TypeAlias = Callable[[pl.Series], pl.Series]

_FORMS = tuple(
    f"%Y-%m-%d{separator}{clock}{zone}"
    for clock in ("%H:%M:%S%.f", "%H:%M")
    for zone in ("%#z", "", " UTC")
    for separator in ("T", " ")
)
"""Forms of a time, the usual first: ISO 8601 with T or blank, with or without seconds, fraction and zone."""

_REWRITTEN = (
    (r"^[A-Z]{3},? ", ""),
    (r"^([A-Z]{3}) (\d\d) (\d{4})( \d\d:\d\d:\d\d GMT[-+]\d{4})(?: \(.*\))?$", "$2 $1 $3$4"),
    (r"^([A-Z]{3}) +(\d\d?) (\d\d:\d\d:\d\d (?:UTC|GMT)) (\d{4})$", "$2 $1 $4 $3"),
    (r"^(\d\d)/([A-Z]{3})/(\d{4}):", "$1 $2 $3 "),
    (r"^((?:19|20)\d\d)(\d\d)(\d\d)$", "$1-$2-$3"),
    (r"^(\d{4})/(\d\d)/(\d\d)([T ]|$)", "$1-$2-$3$4"),
    (r"^(\d{4})(\d\d)(\d\d)[T ](\d\d)(\d\d)(Z|[-+]|$)", "$1-$2-${3}T$4:$5$6"),
    (r"^(\d{4})(\d\d)(\d\d)[T ](\d\d)(\d\d)(\d\d)", "$1-$2-${3}T$4:$5:$6"),
    (r"^(\d{4}-\d\d-\d\d) ", "${1}T"),
    (r"(:\d\d),(\d+)", "$1.$2"),
    (r" ?(?:GMT|UTC)?([-+]\d\d:?\d\d)$", "$1"),
    (r" ?(?:GMT|UTC)$", "Z"),
)
"""Rare forms in upper case → the usual: names of days and months as in mails, logs of Apache, and what JavaScript, Java
and `date` print; ISO 8601 without separators, slashes behind the year, a decimal comma, GMT."""

_REWRITABLE = r"[0-9].*(?:[a-z]|[A-Z]{3}|[/, ]|24:00)|[A-Za-z]{3}.*[0-9]|^[0-9]{8}"
"""What a text has that one of these patterns changes."""

_END_OF_DAY = r"T24:00(:00(\.0+)?)?"

_FIXED: Mapping[int, str] = {
    20: "%Y-%m-%dT%H:%M:%SZ",
    23: "%Y-%m-%d %H:%M:%S UTC",
    24: "%Y-%m-%dT%H:%M:%S.%3fZ",
    27: "%Y-%m-%dT%H:%M:%S.%6fZ",
}
"""Length of a time → the usual form so long. Polars reads forms of fixed width five times faster."""

_NOTHING, _NO_ID = (rf"^(?i-u:{'|'.join(map(re.escape, texts))})$" for texts in (MISSING, MISSING | {"0", "0.0"}))
"""A pattern is four times faster than a comparison of lower-case texts."""

_LENGTHS = sorted({len(text) for text in (*MISSING, "0", "0.0")})
_BLANK = ord(" ")
"""No byte of a blank is above it, but in texts that are not ASCII."""

_BROKEN_INSIDE = """regexp_matches(document, '^\\s*"[\\s"\\\\]*[{\\[]')"""
"""A JSON text that begins as an object or a list, and was not unnested since it is none."""

_NO_PLAIN_NUMBER = (
    r'\\*"\s*:\s*(?:[^-0-9\s]|-[^0-9]|-?[0-9]{10}|-?[0-9]+[^0-9.,}\]\s]|-?[0-9]+\.(?:[^0-9]|[0-9]+[^0-9,}\]\s]))'
)
"""What follows the name of a field whose value is anything but a number of at most nine digits before the point.
An amount has ten, and 9999999999.99999 is rounded to eleven."""

_EPOCHS = (10**8, 10**11, 10**14, 10**17, 2**63 - 1)
"""Unix times in seconds, milliseconds, microseconds, nanoseconds lie between these numbers: each unit covers the years
1973 to 5138 (2262 for nanoseconds), so no number but those of `_DIGITS` has two meanings, and 20261001 is a date, not a
day in 1970."""


_DIGITS = r"^(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])[0-5]\d[0-5]\d$"
"""A time in 14 digits, `20260302100000`. As Unix time in milliseconds it is of the years 2572 to 2635."""


def readable(raw: bytes) -> str:
    """Decode bytes; those that are not UTF-8, and NUL, which no database stores, are written as \\xNN."""
    return raw.decode("utf-8", errors="backslashreplace").replace("\0", "\\x00")


def present(texts: pl.DataFrame, ids: Collection[str] = ()) -> pl.DataFrame:
    """Give texts as `contracts.missing.known` does, `ids` as `known_id` does: null where the value is missing."""
    given = texts.select(text.name for text in texts if text.null_count() < len(text))
    # Each question is asked once of all columns: most have nothing of it, and a step takes as long as a small file.
    # Most texts answer by their length and the bytes at their ends: patterns over all took half of the gate's time.
    first, last = (pl.all().cast(pl.Binary).bin.get(place, null_on_oob=True) for place in (0, -1))
    wide = pl.all().str.len_bytes() != pl.all().str.len_chars()
    odd = given.select((first <= _BLANK) | (last <= _BLANK) | wide)
    given = given.with_columns(_plain(text, odd[text.name].arg_true(), text.name in ids) for text in given)
    short = given.select(pl.all().str.len_bytes().is_in(_LENGTHS).any())
    doubtful = [name for name in given.columns if short[name].item()]
    missing = given.select(pl.col(name).str.contains(_NO_ID if name in ids else _NOTHING) for name in doubtful)
    nulls = (given[name].set(missing[name], None) for name in doubtful if missing[name].any())
    return texts.with_columns(given).with_columns(nulls)


def _plain(text: pl.Series, odd: pl.Series, is_id: bool) -> pl.Series:
    """Take off blanks, compose what is `odd`; write ids of a number column as whole numbers, UUIDs in lower case."""
    if len(odd):
        text = text.scatter(odd, text.gather(odd).str.strip_chars().str.normalize("NFC"))
    if is_id and len(rows := text.str.ends_with(".0").arg_true()):
        text = text.scatter(rows, text.gather(rows).str.replace(r"^([0-9]+)\.0$", "$1"))
    if is_id and len(rows := (text.str.len_bytes() == 36).arg_true()):
        found = text.gather(rows)
        rows, found = (each.filter(found.str.contains(UUID)) for each in (rows, found))
        text = text.scatter(rows, found.str.to_lowercase())
    return text


def _parse_form(text: pl.Series, form: str) -> pl.Series:
    return text.str.to_datetime(form, strict=False, time_unit="us", time_zone="UTC", cache=False)


def _parse_digits(text: pl.Series) -> pl.Series:
    """Read 14 digits as date and time, and not as a Unix time hundreds of years from now."""
    return _parse_form(text.set(~text.str.contains(_DIGITS), None), "%Y%m%d%H%M%S")


def _parse_epoch(text: pl.Series) -> pl.Series:
    number = text.cast(pl.Int64, strict=False)
    if number.null_count() > text.null_count():
        number = text.cast(pl.Float64, strict=False)
    first, millis, micros, nanos, end = _EPOCHS
    unit = pl.when(number < first).then(None).when(number < millis).then(1_000_000).when(number < micros).then(1_000)
    unit = unit.when(number < nanos).then(1)
    found = pl.when((number >= nanos) & (number < end)).then(number // 1_000).otherwise(number * unit)
    micros_of = found.round().cast(pl.Int64).cast(pl.Datetime("us"))
    return pl.select(micros_of.dt.replace_time_zone("UTC")).to_series()


def _parse_rewritten(text: pl.Series) -> pl.Series:
    written = text.set(~text.str.contains(_REWRITABLE), None).str.to_uppercase()
    if written.null_count() == len(written):  # to make the patterns ready takes longer than to read a small file
        return written.cast(INSTANT)
    for pattern, usual in _REWRITTEN:
        written = written.str.replace(pattern, usual)
    ends_day = written.str.contains(_END_OF_DAY)
    parsed = _parse_form(written, "%d %b %Y %H:%M:%S%#z")
    written = written.str.replace(_END_OF_DAY, "T00:00:00")
    # What is written as before has been tried in every form: mistaken times would be tried twice.
    parsed = _parse_left(written.set(written == text, None), parsed, (*_BY_FORM, _parse_date))
    return parsed + ends_day.cast(pl.Int64) * dt.timedelta(days=1)


def _parse_left(text: pl.Series, parsed: pl.Series, parsers: Iterable[Parser]) -> pl.Series:
    """Let each parser try what those before it left over."""
    rest = (parsed.is_null() & text.is_not_null()).arg_true()
    for parse in parsers:
        if rest.is_empty():
            break
        found = parse(text.gather(rest))
        if found.null_count() < len(found):  # to put even nothing among all rows takes longer than to parse
            parsed = parsed.scatter(rest.filter(found.is_not_null()), found.drop_nulls())
        rest = rest.filter(found.is_null())
    return parsed


_BY_FORM: tuple[Parser, ...] = tuple(partial(_parse_form, form=form) for form in _FORMS)


def _parse_date(text: pl.Series) -> pl.Series:
    return text.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


_OTHERS: tuple[Parser, ...] = (_parse_date, _parse_digits, _parse_epoch, _parse_rewritten)


def to_instants(text: pl.Series) -> pl.Series:
    """Parse times as UTC microseconds; null where the text is not a time.

    A time without zone is UTC, a date its midnight. A number is a Unix time in seconds, milliseconds, microseconds or
    nanoseconds, by its magnitude; 14 digits that are a date and time of 1900 to 2099 are that. 24:00 is the end of the
    day. Each form is tried on what the forms before it left over, so a uniform column costs one pass.
    """
    (usual,) = text.head(1000).drop_nulls().str.len_bytes().mode().sort().tail(1).to_list() or [0]
    parsed = _parse_form(text, _FIXED.get(usual, _FORMS[0]))
    rows = (parsed.is_null() & text.is_not_null()).arg_true()
    if len(rows):
        rest = text.gather(rows)
        each = rest.unique()  # what is no time is often the same: 0000-00-00
        found = _parse_left(each, _NEVER.new_from_index(0, len(each)), (*_BY_FORM, *_OTHERS))
        parsed = parsed.scatter(rows, rest.replace_strict(each, found, return_dtype=INSTANT))
    return _within_python(parsed, dt.datetime.min.replace(tzinfo=dt.UTC), dt.datetime.max.replace(tzinfo=dt.UTC))


def _within_python(parsed: pl.Series, first: dt.date, last: dt.date) -> pl.Series:
    """Take out times before the year 1 and after 9999: Polars reads them, and Pandera's report of one fails."""
    outside = ~parsed.is_between(first, last)
    return parsed.set(outside, None) if outside.any() else parsed


def _query(engine: duckdb.DuckDBPyConnection, sql: str, given: pl.DataFrame) -> pl.Series:
    """Run a query with one column over the table `given`."""
    engine.register("given", given.to_arrow(compat_level=pl.CompatLevel.newest()))
    found = engine.sql(sql).to_arrow_table()
    engine.unregister("given")
    return pl.Series(pl.from_arrow(found.column(0)))


def to_json(text: pl.Series, engine: duckdb.DuckDBPyConnection) -> pl.Series:
    """Give JSON text, null where it is not valid: validated by the engine that the models read it with.

    JSON that was encoded twice is read: a text that holds an object or a list becomes that, at any depth.
    """
    text = unnest_texts(text)
    documents = pl.DataFrame({"place": pl.int_range(len(text), eager=True), "document": text}).drop_nulls()
    if documents.is_empty():
        return text
    places = _query(engine, f"SELECT place FROM given WHERE NOT json_valid(document) OR {_BROKEN_INSIDE}", documents)
    return text.scatter(places, None) if len(places) else text


def unnest_texts(documents: pl.Series) -> pl.Series:
    """Give JSON texts with the objects and lists in their texts unnested; what is not valid as it is."""
    rows = documents.str.contains_any(['"{', '"[', '"\\"', "{'", "OrderedDict("]).arg_true()
    if rows.is_empty():
        return documents
    changed = pl.Series(map(unnested, documents.gather(rows)), dtype=pl.String)
    return documents.scatter(rows, changed)


def keys_of(documents: pl.Series, engine: duckdb.DuckDBPyConnection) -> set[str]:
    """Collect the keys of JSON objects that have a value other than null, without those of objects inside them."""
    given = pl.DataFrame({"document": documents}).drop_nulls()
    if given.is_empty():
        return set()
    # A patch leaves nulls out. It takes as long as the rest, so it is asked only of those that may have one.
    merged = "CASE WHEN contains(document, 'null') THEN json_merge_patch('{}', document) ELSE document END"
    return set(_query(engine, f"SELECT DISTINCT unnest(json_keys({merged})) AS key FROM given", given))


def item_keys_of(documents: pl.Series, place: str, engine: duckdb.DuckDBPyConnection) -> set[str]:
    """Collect the keys with a value other than null of the items that JSON has at `place`, `$` or `$.items`."""
    given = pl.DataFrame({"document": documents.filter(documents.str.contains(r'^\s*\[|"items"'))})
    if given.is_empty():
        return set()
    keys = f"""
        CASE
            WHEN contains(document, 'null') THEN list_transform(
                json_extract(document, '{place}[*]'), lambda item: json_keys(json_merge_patch('{{}}', item))
            )
            ELSE json_keys(document, '{place}[*]')
        END
    """
    return set(_query(engine, f"SELECT DISTINCT unnest(flatten({keys})) AS key FROM given", given))


def find_unreadable_amounts(documents: pl.Series, place: str, engine: duckdb.DuckDBPyConnection) -> pl.Series:
    """Find the rows (UInt32) whose JSON has at `place`, `revenue` or `items[].price`, what is no amount of money."""
    listed, _, field = place.rpartition("[].")
    path = f"'$.{field}'"
    if listed or place.startswith("[]."):
        items = f"json_extract_string(document, '$.{listed}')" if listed else "document"
        texts = f"json_extract_string(json_list({items}), '$[*].{field}')"
    else:
        texts = f"[json_extract_string(document, {path})]"
    # Most records have no amount, or a plain number. Asking the engine of all took half of the gate's time.
    rows = documents.str.contains(re.escape(field) + _NO_PLAIN_NUMBER).arg_true()
    if rows.is_empty():
        return rows
    doubtful = pl.DataFrame({"place": rows, "document": documents.gather(rows)})
    sql = f"SELECT place FROM given WHERE list_bool_or(list_transform({texts}, lambda written: is_unreadable(written)))"
    return _query(engine, sql, doubtful).cast(pl.UInt32)


def find_unreadable_orders(documents: pl.Series, kind: str, engine: duckdb.DuckDBPyConnection) -> pl.DataFrame:
    """Find the purchases or refunds (`kind`) whose amount in JSON is none: `row` (UInt32) and `place`, its name."""
    doubtful = rf"{spelled_pattern(AMOUNTS_OF[kind])}{_NO_PLAIN_NUMBER}|\\u"  # \u0061: letters as numbers
    rows = documents.str.contains(doubtful).arg_true()
    if rows.is_empty():
        return pl.DataFrame(schema={"row": pl.UInt32, "place": pl.String})
    sql = f"""
        SELECT {{'row': row, 'place': told.place}} FROM (
            SELECT row, list_filter(list_transform({list(AMOUNTS_OF[kind])}, lambda place: {{
                'place': place,
                'written': list_filter(
                    spelled(document, [plain_name(place)]), lambda written: known(written) IS NOT NULL
                )[1]
            }}), lambda each: each.written IS NOT NULL)[1] AS told
            FROM given
        ) AS first_told WHERE is_unreadable(told.written)
    """
    found = _query(engine, sql, pl.DataFrame({"row": rows, "document": documents.gather(rows)}))
    return found.struct.unnest().cast({"row": pl.UInt32})


def kind_of(dtype: pl.DataType, is_json: bool) -> str:
    """Say what text must be to become a value of this type: `a time`."""
    if is_json:
        return "JSON"
    if dtype == INSTANT:
        return "a time"
    if isinstance(dtype, pl.Decimal):
        return "an amount"
    kinds = {pl.Int64: "a whole number", pl.Float64: "a number", pl.Boolean: "true or false", pl.Date: "a date"}
    return next(words for kind, words in kinds.items() if dtype == kind)


def convert(
    text: pl.Series, dtype: pl.DataType, is_json: bool, engine: duckdb.DuckDBPyConnection, has_currency: bool = False
) -> pl.Series:
    """Convert text to a type; null where it is not of the type. JSON is validated by `engine`.

    An amount that names its currency is one only if the record `has_currency` as a column: else it would be lost.

    Raises `TypeError` for a type that raw input cannot have.
    """
    if is_json:
        return to_json(text, engine)
    if dtype == pl.String:
        return text
    if dtype == INSTANT:
        return to_instants(text)
    if dtype == pl.Int64:
        return _matching(text.str.strip_suffix(".0"), _WHOLE).cast(pl.Int64)
    if dtype == _MONEY:
        sql = f"SELECT CASE WHEN {has_currency} OR currency_in(written) IS NULL THEN amount(written) END FROM given"
        return _query(engine, sql, pl.DataFrame({"written": text})).alias(text.name)
    if isinstance(dtype, pl.Decimal):
        # The engine rounds half a unit away from zero, as the models do it.
        sql = f"SELECT CAST(number AS DECIMAL({dtype.precision}, {dtype.scale})) FROM given"
        return _query(engine, sql, pl.DataFrame({"number": _matching(text, _NUMBER)})).alias(text.name)
    if dtype == pl.Float64:
        number = text.cast(pl.Float64, strict=False)
        return number.set(~number.is_finite(), None)
    if dtype == pl.Boolean:
        return text.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        return _within_python(text.str.to_date("%Y-%m-%d", strict=False), dt.date.min, dt.date.max)
    raise TypeError(f"the gate cannot read {text.name} as {dtype}")


def _matching(text: pl.Series, pattern: str) -> pl.Series:
    return text.set(~text.str.contains(pattern), None)
