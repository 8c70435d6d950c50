"""A position is read back as it was written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pydantic_core import to_json

from analytics_platform.connectors.mongo.position import MongoPosition, Snapshot, decode_key, encode_key
from analytics_platform_tests.connectors.mongo.arbitrary_bson import SCALARS

KEYS = SCALARS.map(lambda value: encode_key({"_id": value}))
OBJECT_IDS = st.binary(min_size=12, max_size=12).map(bytes.hex)
POSITIONS = st.builds(
    MongoPosition,
    token=st.none() | KEYS,
    object_id=st.none() | OBJECT_IDS,
    timestamp=st.none() | st.integers(-(2**63), 2**63 - 1),
    snapshot=st.none() | st.builds(Snapshot, st.none() | KEYS, st.none() | OBJECT_IDS),
)


@given(POSITIONS)
def test_a_position_survives_its_text(position: MongoPosition) -> None:
    assert TypeAdapter(MongoPosition).validate_json(to_json(position)) == position


def test_a_position_that_an_older_version_noted_is_read() -> None:
    text = '{"mode": "keyset", "token": null, "object_id": "65e1c4d0", "timestamp": 7, "snapshot": {"floor": "65"}}'
    position = TypeAdapter(MongoPosition).validate_json(text)
    assert position == MongoPosition(object_id="65e1c4d0", timestamp=7, snapshot=Snapshot(floor="65"))


@given(SCALARS)
def test_a_key_survives_its_text(value: object) -> None:
    assert encode_key(decode_key(encode_key({"_id": value}))) == encode_key({"_id": value})
