"""Reading by change stream: nothing is missed between the snapshot and the stream, nor when the stream breaks off."""

from __future__ import annotations

import datetime as dt
from typing import Any

import bson
import pytest

from analytics_platform.connectors.mongo.errors import MongoError
from analytics_platform.connectors.mongo.position import MongoPosition
from analytics_platform_tests.connectors.mongo.scripted_server import CommandError, ScriptedServer
from analytics_platform_tests.connectors.mongo.shop import (
    MINUTE,
    SMALL,
    START,
    Reading,
    Shop,
    ids,
    log,
    stopped_readings,
)

STREAM = {"mode": None}


def read(shop: Shop, position: MongoPosition | None = None, **settings: Any) -> Reading:
    return shop.read(position, **{**STREAM, **settings})


def test_everything_is_read_at_first_and_then_only_changes(streamed: Shop) -> None:
    old = streamed.insert(*(log(START + n * MINUTE) for n in range(30)), {"_id": "odd", "timestamp": "yesterday"})
    first = read(streamed)
    assert sorted(map(str, first.ids)) == sorted(map(str, old))
    assert first.position is not None and first.position.mode == "change_stream"
    new = streamed.insert(log(START), log(START - 900 * MINUTE), {"_id": 7}, {"_id": "seven", "timestamp": None})
    second = read(streamed, first.position)
    assert second.ids == new
    assert read(streamed, second.position).documents == []


def test_changed_documents_come_whole_and_deleted_ones_are_kept(streamed: Shop) -> None:
    document = log(START)
    streamed.insert(document, log(START))
    position = read(streamed).position
    streamed.logs.replace_one({"_id": document["_id"]}, {**document, "note": "changed"})
    streamed.logs.delete_one({"_id": {"$gt": document["_id"]}})
    reading = read(streamed, position)
    assert [bson.decode(raw) for raw in reading.documents] == [{**document, "note": "changed"}]
    assert read(streamed, reading.position).documents == []


def test_what_is_written_during_the_snapshot_is_in_the_stream(streamed: Shop) -> None:
    streamed.insert(*(log(START + n * MINUTE) for n in range(20)))
    seen: list[Any] = []
    written: list[Any] = []
    position = None
    for batch in streamed.source(**STREAM, batch=SMALL).read(None):
        if position is None or position.snapshot is not None:
            written += streamed.insert(log(START - MINUTE), {"_id": f"a{len(written)}"})
        seen += ids(batch.documents)
        position = batch.position
    assert set(written) <= {*seen, *read(streamed, position).ids}


def test_a_reading_killed_before_any_commit_is_made_up_for(streamed: Shop) -> None:
    first = streamed.insert(*(log(START + n * MINUTE) for n in range(20)))
    for stored in stopped_readings(streamed, None, batch=SMALL, **STREAM):
        assert set(ids(stored)) == set(first)
    position = read(streamed).position
    new = streamed.insert(*(log(START + n * MINUTE) for n in range(20)))
    for stored in stopped_readings(streamed, position, batch=SMALL, **STREAM):
        assert ids(stored)[-len(new) :] == new


def test_a_reading_of_a_busy_collection_ends(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    position = read(shop).position
    clock = server.clock
    server.clock = lambda: clock() + dt.timedelta(hours=1)
    new = shop.insert(*(log(START) for _ in range(5)))
    server.clock = clock
    first = read(shop, position)
    assert first.ids == new[:1], "what was written after the reading began is left, but for the first of it"
    server.clock = lambda: clock() + dt.timedelta(hours=2)
    assert read(shop, first.position).ids == new[1:]


def test_a_quiet_collection_moves_its_position_on(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, _ = scripted
    shop.insert(log(START))
    position = read(shop).position
    shop.database["other"].insert_many([{} for _ in range(10)])
    reading = read(shop, position)
    assert reading.documents == []
    assert reading.position is not None and position is not None
    assert reading.position.token != position.token


def test_a_dead_token_reads_again_what_was_made_since_and_says_so(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    old = shop.insert(*(log(START + n * MINUTE) for n in range(100)), {"_id": "no time"})
    position = read(shop).position
    new = shop.insert(*(log(START + n * MINUTE) for n in range(100, 120)), {"_id": "new"})
    server.forget_history()
    reading = read(shop, position, batch=SMALL)
    assert set(reading.ids) == {*old[89:], *new}, "ten minutes back, and all whose id tells no time"
    assert len(reading.ids) == len(set(reading.ids))
    assert ["since the last reading" in note for note in reading.notes] == [True]
    after = shop.insert(log(START))
    assert read(shop, reading.position).ids == after


def test_a_dead_token_is_made_up_for_whenever_the_reading_is_killed(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    shop.insert(*(log(START + n * MINUTE) for n in range(50)))
    position = read(shop).position
    new = shop.insert(*(log(START + n * MINUTE) for n in range(50, 80)))
    server.forget_history()
    for stored in stopped_readings(shop, position, batch=SMALL, **STREAM):
        assert set(new) <= set(ids(stored))


def test_history_lost_during_the_snapshot_is_made_up_for(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    everything = shop.insert(*(log(START + n * MINUTE) for n in range(30)))
    seen = []
    for number, batch in enumerate(shop.source(**STREAM, batch=SMALL).read(None)):
        if number == 1:
            everything += shop.insert(log(START + 31 * MINUTE), {"_id": "a"})
            server.forget_history()
        seen += ids(batch.documents)
    assert set(seen) == set(everything)


def test_what_the_stream_gave_before_it_broke_off_is_handed_on(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    shop.insert({**log(START), "_id": "changed"})
    position = read(shop).position
    shop.logs.replace_one({"_id": "changed"}, {"_id": "changed", "note": 1})
    server.faults.errors["getMore"] = CommandError(286, "ChangeStreamHistoryLost")
    source = shop.source(**STREAM).read(position)
    first = next(batch for batch in source if batch.documents)
    source.close()  # type: ignore[attr-defined]
    assert ids(first.documents) == ["changed"]


def test_a_stream_that_breaks_off_twice_is_a_loud_stop(scripted: tuple[Shop, ScriptedServer]) -> None:
    shop, server = scripted
    shop.insert(log(START))
    position = read(shop).position
    server.faults.errors["getMore"] = CommandError(286, "ChangeStreamHistoryLost")
    with pytest.raises(MongoError, match="broke off twice"):
        read(shop, position)


def test_a_dropped_collection_is_read_from_the_start(streamed: Shop) -> None:
    streamed.insert(*(log(START + n * MINUTE) for n in range(30)))
    position = read(streamed).position
    streamed.logs.drop()
    restored = streamed.insert(*(log(START - n * MINUTE) for n in range(10)))
    reading = read(streamed, position)
    assert set(restored) <= set(reading.ids)
    assert ["dropped or renamed" in note for note in reading.notes] == [True]
    new = streamed.insert(log(START))
    assert read(streamed, reading.position).ids == new


def test_a_collection_that_does_not_exist_yet_is_read_when_it_does(streamed: Shop) -> None:
    first = read(streamed)
    assert first.documents == []
    new = streamed.insert(log(START))
    assert read(streamed, first.position).ids == new


def test_a_server_that_has_no_change_streams_any_more_is_read_by_keys_from_the_start(
    scripted: tuple[Shop, ScriptedServer],
) -> None:
    shop, server = scripted
    everything = shop.insert(log(START))
    position = read(shop).position
    server.replica_set = False
    anew = read(shop, position)
    assert anew.ids == everything
    assert anew.notes == ["The last reading was by change_stream, this one is by keyset: everything is read again."]
    assert anew.position is not None and anew.position.mode == "keyset"
