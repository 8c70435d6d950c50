"""Reading by keys: nothing is missed, and little comes twice."""

from __future__ import annotations

import datetime as dt
from typing import Any

import bson
import pytest
from bson.datetime_ms import DatetimeMS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analytics_platform.connectors.batches import BatchSize
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform_tests.connectors.mongo.arbitrary_bson import DOCUMENTS, SCALARS, VALUES
from analytics_platform_tests.connectors.mongo.scripted_server import ScriptedServer
from analytics_platform_tests.connectors.mongo.shop import MINUTE, SMALL, START, Shop, log, object_id, stopped_readings

ODD_TIMESTAMPS: tuple[Any, ...] = (
    "2024-03-01T12:00:00Z",
    "2024-03-01 14:00",
    "yesterday",
    1709294400,
    17.5,
    None,
    True,
    [dt.datetime(2024, 3, 1)],
    {"at": dt.datetime(2024, 3, 1)},
    dt.datetime(1901, 1, 1),
    dt.datetime(2190, 1, 1),
)
"""Timestamps that a range of dates does not find."""


def test_the_first_reading_gives_every_document_as_it_is_stored(shop: Shop) -> None:
    documents = [log(START + n * MINUTE) for n in range(30)]
    documents += [{"_id": object_id(START), "timestamp": stamp} for stamp in ODD_TIMESTAMPS]
    documents += [{"_id": name, "n": 1} for name in ("a", "b", 3, 2.5)]
    shop.insert(*documents)
    raws = shop.read().documents
    assert sorted(raws) == sorted(bson.encode(document) for document in documents)


def test_the_next_reading_gives_only_what_is_new_and_the_overlap(shop: Shop) -> None:
    old = shop.insert(*(log(START + n * MINUTE) for n in range(100)))
    first = shop.read()
    assert shop.read(first.position).ids == old[-11:], "ten minutes, and the newest"
    new = shop.insert(*(log(START + n * MINUTE) for n in range(100, 150)))
    second = shop.read(first.position)
    assert second.ids == old[-11:] + new
    assert shop.read(second.position).ids == new[-11:]


def test_without_overlap_only_what_is_new_is_read(shop: Shop) -> None:
    old = shop.insert(*(log(START + n * MINUTE) for n in range(100)))
    first = shop.read(overlap=dt.timedelta(0))
    new = shop.insert(*(log(START + n * MINUTE) for n in range(100, 150)))
    assert shop.read(first.position, overlap=dt.timedelta(0)).ids == [old[-1], *new]


def test_a_late_insert_inside_the_overlap_is_found(shop: Shop) -> None:
    shop.insert(*(log(START + n * MINUTE) for n in range(100)))
    position = shop.read().position
    moment = START + 92 * MINUTE
    late = shop.insert(
        log(moment),
        {"_id": "an id without time", "timestamp": moment},
        {"_id": object_id(moment), "timestamp": "2024-03-01T13:32"},
        {"_id": object_id(moment)},
        {"_id": object_id(START), "timestamp": moment},
    )
    assert set(late) <= set(shop.read(position).ids)


def test_a_log_from_long_before_is_found_if_it_was_made_now(shop: Shop) -> None:
    shop.insert(*(log(START + n * MINUTE) for n in range(100)))
    position = shop.read().position
    (late,) = shop.insert({**log(START - dt.timedelta(days=30)), "_id": object_id(START + 100 * MINUTE)})
    assert late in shop.read(position).ids


def test_bulk_loads_of_old_logs_are_not_read_again(shop: Shop) -> None:
    made = START + 200 * MINUTE
    shop.insert(*({**log(START + n * MINUTE), "_id": object_id(made)} for n in range(100)))
    position = shop.read().position
    assert len(shop.read(position).ids) == 11


@pytest.mark.parametrize("stamp", ODD_TIMESTAMPS)
def test_a_document_with_an_odd_timestamp_is_found(scripted: tuple[Shop, ScriptedServer], stamp: object) -> None:
    shop, _ = scripted
    shop.insert(*(log(START + n * MINUTE) for n in range(20)))
    position = shop.read().position
    odd = shop.insert(
        {"_id": object_id(START + 21 * MINUTE), "timestamp": stamp},
        {"_id": object_id(START + 15 * MINUTE), "timestamp": stamp},
    )
    wanted = set(odd[:1]) if stamp == dt.datetime(1901, 1, 1) else set(odd)
    assert wanted <= set(shop.read(position).ids)


def test_odd_timestamps_and_missing_ones_are_found_among_dates(shop: Shop) -> None:
    shop.insert(*(log(START + n * MINUTE) for n in range(20)))
    position = shop.read().position
    made = START + 25 * MINUTE
    odd = shop.insert(*({"_id": object_id(made), "timestamp": stamp} for stamp in ODD_TIMESTAMPS))
    odd += shop.insert({"_id": object_id(made)}, {"_id": "text"}, {"_id": 5, "timestamp": "2024"})
    new = shop.insert(log(made))
    second = shop.read(position)
    assert set(odd + new) <= set(second.ids)
    third = shop.read(second.position)
    assert {"text", 5} <= set(third.ids), "nothing tells that these are old"


def test_an_id_that_tells_no_time_is_never_passed_over(shop: Shop) -> None:
    shop.insert(*({"_id": f"m{n}", "timestamp": "2024-03-01"} for n in range(10)))
    position = shop.read().position
    shop.insert({"_id": "a", "timestamp": "2024-03-02"}, {"_id": 3})
    assert {"a", 3} <= set(shop.read(position).ids)


def test_what_is_too_young_is_left_for_the_next_reading(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    server.clock = lambda: START + 60 * MINUTE
    shop.insert(*(log(START + n * MINUTE) for n in range(40)))
    position = shop.read(lag=5 * MINUTE, overlap=MINUTE).position
    young = shop.insert(log(START + 58 * MINUTE), {"_id": object_id(START + 58 * MINUTE)})
    second = shop.read(position, lag=5 * MINUTE, overlap=MINUTE)
    assert not set(young) & set(second.ids)
    hidden = shop.insert(log(START + 57 * MINUTE), {"_id": object_id(START + 57 * MINUTE)})
    server.clock = lambda: START + 70 * MINUTE
    assert set(young + hidden) <= set(shop.read(second.position, lag=5 * MINUTE, overlap=MINUTE).ids)


def test_a_log_from_the_future_does_not_hide_those_of_today(shop: Shop) -> None:
    shop.insert(
        log(START), {**log(START), "timestamp": dt.datetime(2199, 1, 1)}, {"_id": object_id(dt.datetime(2099, 1, 1))}
    )
    position = shop.read().position
    assert position is not None
    assert position.timestamp == int(DatetimeMS(START))
    new = shop.insert(log(START + MINUTE))
    assert set(new) <= set(shop.read(position).ids)


def test_equal_timestamps_at_the_end_of_a_batch_are_all_read(shop: Shop) -> None:
    shop.insert(log(START))
    position = shop.read().position
    same = shop.insert(*(log(START + MINUTE) for _ in range(20)))
    batches = shop.read(position, batch=SMALL).batches
    assert [len(batch.documents) for batch in batches] == [7, 7, 7]
    for stored in stopped_readings(shop, position, batch=SMALL, overlap=dt.timedelta(0)):
        assert set(same) <= {bson.decode(raw)["_id"] for raw in stored}


def test_a_reading_killed_before_any_commit_is_made_up_for(shop: Shop) -> None:
    first = shop.insert(*(log(START + n * MINUTE) for n in range(20)), *({"_id": f"t{n}"} for n in range(10)))
    for stored in stopped_readings(shop, None, batch=SMALL):
        assert {bson.decode(raw)["_id"] for raw in stored} == set(first)
    position = shop.read().position
    new = shop.insert(*(log(START + n * MINUTE) for n in range(20, 40)))
    new += shop.insert(*({"_id": object_id(START + 30 * MINUTE)} for _ in range(10)))
    for stored in stopped_readings(shop, position, batch=SMALL):
        assert set(new) <= {bson.decode(raw)["_id"] for raw in stored}


def test_what_is_written_during_the_first_reading_is_not_missed(shop: Shop) -> None:
    shop.insert(*(log(START + n * MINUTE) for n in range(20)))
    seen: set[Any] = set()
    position = None
    written: list[Any] = []
    for number, batch in enumerate(shop.source(batch=SMALL).read(None)):
        moment = START + (15 + number) * MINUTE
        written += shop.insert(log(moment), {"_id": object_id(moment)})
        seen |= {bson.decode(raw)["_id"] for raw in batch.documents}
        position = batch.position
    assert set(written) <= seen | set(shop.read(position).ids)


def test_a_batch_ends_when_it_is_large_enough(shop: Shop) -> None:
    shop.insert(*(log(START, note="x" * 1000) for _ in range(10)))
    batches = shop.read(batch=BatchSize(records=1000, size=3000)).batches
    assert [len(batch.documents) for batch in batches] == [3, 3, 3, 1, 0]


def test_a_collection_that_does_not_exist_is_empty_and_said_to_be(shop: Shop) -> None:
    reading = shop.read()
    assert (reading.documents, reading.position) == ([], None)
    assert reading.notes == [f"MongoDB has no collection {shop.database.name}.web_logs: nothing to read."]


def test_another_mode_than_before_reads_everything_again_and_says_so(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, _ = scripted
    everything = shop.insert(*(log(START) for _ in range(5)))
    by_keys = shop.read().position
    reading = shop.read(by_keys, mode="change_stream")
    assert reading.ids == everything
    assert reading.notes == ["The last reading was by keyset, this one is by change_stream: everything is read again."]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(SCALARS, VALUES, DOCUMENTS), min_size=1, max_size=20), st.data())
def test_no_document_is_lost_or_changed_whatever_it_holds(
    scripted: tuple[Shop, ScriptedServer], rows: list[tuple[Any, Any, dict[str, Any]]], data: st.DataObject
) -> None:
    shop, server = scripted
    documents = {
        bson.encode({"_id": key}): bson.encode({**rest, "_id": key, "timestamp": stamp}) for key, stamp, rest in rows
    }
    server.store("web_logs", documents)
    batch = BatchSize(records=data.draw(st.integers(1, 5)))
    reading = shop.source(batch=batch).read(None)
    stored: set[bytes] = set()
    position: MongoPosition | None = None
    for _, found in zip(range(data.draw(st.integers(0, 4))), reading, strict=False):
        stored |= set(found.documents)
        position = found.position
    reading.close()  # type: ignore[attr-defined]
    while position is None or position.snapshot is not None:
        rest = shop.read(position, batch=batch)
        stored |= set(rest.documents)
        position = rest.position
    assert stored == set(documents.values())
