"""A position is read back as it was written, or rejected in one sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.connectors.mongo import MongoError, MongoPosition
from analytics_platform.connectors.mongo.position import Snapshot, decode_key, encode_key
from analytics_platform_tests.connectors.mongo.arbitrary_bson import SCALARS

KEYS = SCALARS.map(lambda value: encode_key({"_id": value}))
OBJECT_IDS = st.binary(min_size=12, max_size=12).map(bytes.hex)
POSITIONS = st.builds(
    MongoPosition,
    mode=st.sampled_from(["change_stream", "keyset"]),
    token=KEYS,
    object_id=st.none() | OBJECT_IDS,
    timestamp=st.none() | st.integers(-(2**63), 2**63 - 1),
    snapshot=st.none() | st.builds(Snapshot, st.none() | KEYS, st.none() | OBJECT_IDS),
)


@given(POSITIONS)
def test_a_position_survives_its_text(position: MongoPosition) -> None:
    assert MongoPosition.from_json(position.to_json()) == position


@given(SCALARS)
def test_a_key_survives_its_text(value: object) -> None:
    assert encode_key(decode_key(encode_key({"_id": value}))) == encode_key({"_id": value})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        '{"mode": "keyset"',
        '{"mode": "polling"}',
        '{"mode": "keyset", "offset": 3}',
        '{"mode": "keyset", "timestamp": "2024"}',
        '{"mode": "keyset", "timestamp": 1.5}',
        '{"mode": "keyset", "timestamp": 9223372036854775808}',
        '{"mode": "keyset", "object_id": "xyz"}',
        '{"mode": "keyset", "snapshot": {"after": "[]"}}',
        '{"mode": "keyset", "snapshot": {"after": "{\\"$oid\\": 5}"}}',
        '{"mode": "change_stream"}',
        '{"mode": "change_stream", "token": "not json"}',
    ],
)
def test_a_corrupt_position_is_rejected_and_says_what_to_do(text: str) -> None:
    with pytest.raises(MongoError, match=r"delete it to read the collection again from the start\.$"):
        MongoPosition.from_json(text)


@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(json.dumps))
def test_any_other_text_is_rejected(text: str) -> None:
    with pytest.raises(MongoError):
        MongoPosition.from_json(text)
