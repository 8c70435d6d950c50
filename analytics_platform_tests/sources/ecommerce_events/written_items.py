"""Items as Hypothesis draws them, each with what it says and how the three forms write it."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from hypothesis import strategies as st

from analytics_platform.contracts.missing import known
from analytics_platform.sources.ecommerce_events.items import FIELDS, NUMERIC_FIELDS, PARAMS, TYPED_FIELDS

MISSING = object()

_NAME = "[A-Za-z_][A-Za-z0-9_]{1,39}"
_IMITATES = re.compile(rf", {_NAME}=|}}, {{(?:{_NAME}=|}})")
"""Texts that are ambiguous in the GA4 form; all other texts can be read back from it."""

_FRAGMENTS = r"""
, ~,~=~ = ~{~}~[~]~}, {~}}~}}]}~}]~], [~, b=c~, código=1~,color=red~, ,~null~(not set)~price~{key=~, value~\u0000~'
string_value=~item_id=~, price =~Audífonos, negro~Los más comprados~$1,499.00~A|B_01~é~日本~😀~\~"~"""
"""Pieces of syntax, of what only looks like it, and of usual values."""

TEXTS = st.lists(st.sampled_from(_FRAGMENTS.split("~")) | st.text(max_size=3), max_size=6).map("".join)

DECIDABLE = TEXTS.filter(lambda text: known(text) is not None and "\0" not in text and not _IMITATES.search(text + "}"))


class Written(NamedTuple):
    """What a value says (or `MISSING`), its value in JSON, and its text in the GA4 form."""

    says: object
    in_json: object
    in_ga4: str


def _written_text(text: str) -> Written:
    return Written(text, text, text)


def _plain(number: int | Decimal) -> str:
    return format(number, "f")


@st.composite
def written_numbers(draw: st.DrawFn) -> Written:
    number: int | Decimal = draw(st.integers(-(10**15), 10**15))
    if draw(st.booleans()):
        number = Decimal(number).scaleb(-draw(st.integers(1, 6))).normalize()
        number = number if number != number.to_integral_value() else int(number)
    texts = [_plain(number), f"{Decimal(number):e}"]
    texts.append(f"{texts[0]}00" if isinstance(number, Decimal) else f"{number}.0")
    in_json = draw(st.sampled_from([*texts, float(number), number if isinstance(number, int) else float(number)]))
    return Written(number, in_json, draw(st.sampled_from(texts)))


MISSING_VALUES = st.builds(
    Written, st.just(MISSING), st.sampled_from([None, "", "null", "N/A"]), st.sampled_from(["", "null", "(not set)"])
)
WRITTEN_TEXTS = DECIDABLE.map(_written_text)
OTHER_SCALARS = st.one_of(
    st.integers(-(10**18), 10**18).map(lambda number: Written(str(number), number, str(number))),
    st.booleans().map(lambda flag: Written(str(flag).lower(), flag, str(flag).lower())),
)


@st.composite
def written_params(draw: st.DrawFn) -> Written:
    params = draw(st.lists(st.tuples(DECIDABLE, st.none() | written_values()), max_size=3))
    nothing = Written(dict.fromkeys(TYPED_FIELDS), None, "null")
    values = [(key, nothing if value is None else value) for key, value in params]
    in_ga4 = [f"{{key={key}, value={value.in_ga4}}}" for key, value in values]
    return Written(
        [{"key": key, "value": value.says} for key, value in values],
        [{"key": key, "value": value.in_json} for key, value in values],
        f"[{', '.join(in_ga4)}]",
    )


@st.composite
def written_values(draw: st.DrawFn) -> Written:
    fields = {"string_value": draw(WRITTEN_TEXTS | MISSING_VALUES)}
    fields |= {name: draw(MISSING_VALUES | written_numbers()) for name in TYPED_FIELDS[1:]}
    in_ga4 = ", ".join(f"{name}={field.in_ga4}" for name, field in fields.items())
    return Written(
        {name: None if field.says is MISSING else field.says for name, field in fields.items()},
        {name: field.in_json for name, field in fields.items()},
        f"{{{in_ga4}}}",
    )


def _written_field(name: str) -> st.SearchStrategy[Written]:
    if name == PARAMS:
        return MISSING_VALUES | written_params()
    if name in NUMERIC_FIELDS:
        return MISSING_VALUES | written_numbers() | DECIDABLE.filter(_is_no_number).map(_written_text)
    return MISSING_VALUES | WRITTEN_TEXTS | OTHER_SCALARS


def _is_no_number(text: str) -> bool:
    return not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text)


NAMES = st.sampled_from(sorted(FIELDS)) | st.from_regex(_NAME, fullmatch=True)


@st.composite
def written_items(draw: st.DrawFn) -> Written:
    items = []
    for names in draw(st.lists(st.lists(NAMES, max_size=5, unique=True), max_size=3)):
        items.append({name: draw(_written_field(name)) for name in names})
    in_ga4 = [", ".join(f"{name}={field.in_ga4}" for name, field in item.items()) for item in items]
    return Written(
        [{name: field.says for name, field in item.items() if field.says is not MISSING} for item in items],
        [{name: field.in_json for name, field in item.items()} for item in items],
        f"[{', '.join(f'{{{item}}}' for item in in_ga4)}]",
    )
