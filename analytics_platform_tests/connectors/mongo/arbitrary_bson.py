"""Hypothesis strategies for documents with every type that BSON has."""

from __future__ import annotations

import math

from bson.binary import Binary
from bson.code import Code
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.int64 import Int64
from bson.max_key import MaxKey
from bson.min_key import MinKey
from bson.objectid import ObjectId
from bson.regex import Regex
from bson.timestamp import Timestamp
from hypothesis import strategies as st

LONG = st.integers(-(2**63), 2**63 - 1)
UNSIGNED = st.integers(0, 2**32 - 1)
TEXTS = st.text(max_size=20)
KEYS = st.text(st.characters(exclude_characters="\0$.", exclude_categories=["Cs"]), min_size=1, max_size=8)
"""Names of fields: without `$`, for `{"$oid": …}` as a field of a document looks like a type in Extended JSON."""
_PATTERNS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)

NUMBERS = st.one_of(
    LONG.map(Int64),
    st.floats(allow_nan=False) | st.just(math.nan),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9).map(Decimal128),
    st.builds("{}E{}".format, st.integers(-(10**34) + 1, 10**34 - 1), st.integers(-6176, 6111)).map(Decimal128),
)
"""Numbers of every type and size; decimals that are finite, for those have an order on any server."""

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**31), 2**31 - 1),
    TEXTS,
    st.binary(max_size=12),
    st.builds(Binary, st.binary(max_size=12), st.sampled_from([1, 5, 6, 128, 255])),
    st.binary(min_size=16, max_size=16).map(lambda uuid: Binary(uuid, 4)),
    st.binary(min_size=12, max_size=12).map(ObjectId),
    LONG.map(DatetimeMS),
    st.integers(-62_135_596_800_000, 253_402_300_799_999).map(DatetimeMS),
    NUMBERS,
    st.builds(Timestamp, UNSIGNED, UNSIGNED),
    st.builds(Regex, _PATTERNS, st.sampled_from(["", "i", "imsx"])),
    TEXTS.map(Code),
    st.just(MinKey()),
    st.just(MaxKey()),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
_METADATA = VALUES | st.fixed_dictionaries({}, optional={"device": VALUES, "session_id": VALUES, "more": VALUES})
_OPTIONAL = dict.fromkeys(["_id", "user_id", "action", "item_name", "timestamp", "new_field"], VALUES)

DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=3) | st.fixed_dictionaries(
    {}, optional={**_OPTIONAL, "metadata": _METADATA}
)
"""Any documents, and such as have the fields of an interaction log, with values of any type."""
