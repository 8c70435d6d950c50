"""What `load_batch` promises: ids from content, duplicates left out, whole batches or nothing."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
from collections.abc import Iterator, Mapping

import polars as pl
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.gate import Origin, Verdict, read_csv, validate
from analytics_platform.warehouse import BatchCard, DuckDBSession, Loaded, Session, load_batch
from analytics_platform.warehouse import load as load_module
from analytics_platform.warehouse.load import ROWS_PER_INSERT

CONTRACT = CONTRACTS["cleaned.clickstream"]
HEADER = ("client_id", "page_url", "referrer", "timestamp", "event_name", "event_data", "user_agent", "event_id")
ARRIVED = dt.datetime(2026, 10, 5, tzinfo=dt.UTC)
LINE = "c{},/p,,2026-10-0{}T00:00:00Z,view,,,{}\n"


def verdicts(body: str, batch_id: str = "set below") -> Iterator[Verdict]:
    origin = Origin(batch_id, ARRIVED, dt.datetime(2010, 1, 1, tzinfo=dt.UTC))
    stream = io.BufferedReader(io.BytesIO(f"{','.join(HEADER)}\n{body}".encode()))  # type: ignore[arg-type]
    return validate(read_csv(stream, CONTRACT), CONTRACT, origin)


def load(session: Session, batch_id: str, body: str) -> Loaded:
    card = BatchCard(batch_id, "clickstream", "f.csv", batch_id, ARRIVED, "run")
    return load_batch(session, CONTRACT, card, verdicts(body, batch_id))


def test_an_event_is_known_by_its_own_id_client_name_and_time_or_by_its_content(session: Session) -> None:
    load(session, "b1", LINE.format(1, 1, "e1") + LINE.format(2, 1, ""))
    micros = str(1_790_812_800_000_000)
    known = ["clickstream", "e1", "c1", "view", micros]
    content = ["clickstream", "c2", "", "/p", "", micros, "view", "", "", ""]
    expected = [
        (own, hashlib.md5("\x1f".join(parts).encode()).hexdigest()) for own, parts in (("e1", known), (None, content))
    ]
    assert session.rows("SELECT source_event_id, event_id FROM cleaned.clickstream ORDER BY position") == expected


def test_the_first_of_duplicates_stays_within_a_batch_and_across_batches(session: Session) -> None:
    one, two, far = LINE.format(1, 1, ""), LINE.format(2, 1, ""), LINE.format(1, 4, "")
    assert load(session, "b2", one + one + two) == Loaded(2, 1, 0)
    assert load(session, "b1", far + one + far + "torn\n") == Loaded(1, 2, 1)
    kept = session.rows("SELECT batch_id, position FROM cleaned.clickstream ORDER BY ALL")
    assert kept == [("b1", 2), ("b2", 2), ("b2", 4)]


def test_batches_larger_than_one_insert_are_stored_whole(session: Session) -> None:
    rows = ROWS_PER_INSERT + 10_000
    body = "".join(LINE.format(number, 1, f"e{number}") for number in range(rows))
    assert load(session, "b1", body) == Loaded(rows, 0, 0)
    found = session.rows("SELECT count(DISTINCT event_id), min(position), max(position) FROM cleaned.clickstream")
    assert found == [(rows, 2, rows + 1)]


def test_long_rows_are_written_before_they_fill_the_memory(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    inserted, insert = list[int](), DuckDBSession.insert

    def count(self: DuckDBSession, table: str, frame: pl.DataFrame, *defaults: Mapping[str, str]) -> None:
        inserted.append(frame.height if table == CONTRACT.table.name else 0)
        insert(self, table, frame, *defaults)

    monkeypatch.setattr(DuckDBSession, "insert", count)
    monkeypatch.setattr(load_module, "BYTES_PER_INSERT", 10_000)
    assert load(session, "b1", LINE.format("1" * 20_000, 1, "e1") + LINE.format(2, 1, "e2")) == Loaded(2, 0, 0)
    assert inserted[:2] == [2, 0]
    # What is left over behind whole row groups counts too.
    monkeypatch.setattr(load_module, "ROWS_PER_INSERT", 3)
    inserted.clear()
    first = "".join(LINE.format(name, 1, name) for name in ("3", "4", "5", "6" * 9_000))
    every = [*verdicts(first, "b2"), *verdicts(LINE.format("7" * 2_000, 1, "e7"), "b2")]
    load_batch(session, CONTRACT, BatchCard("b2", "clickstream", "f.csv", "b2", ARRIVED, "run"), every)
    assert inserted[:3] == [3, 1, 1]


def test_an_error_during_validation_stores_nothing(session: Session) -> None:
    def broken() -> Iterator[Verdict]:
        yield from verdicts(LINE.format(1, 1, "") + "torn\n")
        raise OSError("the disk is gone")

    card = BatchCard("b1", "clickstream", "f.csv", "b1", ARRIVED, "run")
    with pytest.raises(OSError, match="the disk is gone"):
        load_batch(session, CONTRACT, card, broken())
    for table in ("cleaned.clickstream", "ops.quarantine", "ops.pipeline_logs", "ops.batch_days"):
        assert session.rows(f"SELECT count(*) FROM {table}") == [(0,)]
