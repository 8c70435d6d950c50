"""A withdrawn batch is as if it had never arrived; what no run can load is set aside and holds up no other."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analytics_platform.lake import Batch
from analytics_platform.settings import Settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange, all_models
from analytics_platform.warehouse import LEDGER_TABLES, Loaded, Session, WarehouseError
from analytics_platform.warehouse.ledger import find_batch, loadings, unloaded_batches
from analytics_platform.warehouse.load import LONGEST_TEXT, SHORT_TEXT, TEXT_OF_A_BATCH, load_new_batches
from analytics_platform.warehouse.replay import replay
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import days_to_build
from analytics_platform.warehouse.watchdog import has_every_batch
from analytics_platform.warehouse.withdraw import Withdrawn, withdraw_batch
from analytics_platform_tests.kit import (
    Contents,
    Platform,
    Row,
    build,
    click,
    contents,
    load_landed,
    load_rows,
    open_platform,
)
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.shop_messages import load_drained, load_messages, shop_message

DAY = "2024-03-0{}T10:00:00Z"
GOOD = click("ada", DAY.format(1))


def withdraw(platform: Platform, session: Session, name: str) -> Withdrawn:
    """Withdraw the batch of an input."""
    ((batch_id,),) = session.rows(
        "SELECT batch_id FROM ops.pipeline_logs WHERE input = $name "
        "UNION ALL SELECT batch_id FROM ops.set_aside WHERE input = $name",
        {"name": name},
    )
    card = find_batch(session, str(batch_id), platform.lake)
    return withdraw_batch(session, platform.settings, platform.lake, card, "wrong export", "grace")


def as_left(session: Session) -> Contents:
    """The tables without what is kept of withdrawn batches: the audit log, and days without rows."""
    session.ensure(SOURCES[CLICKSTREAM].contract, *LEDGER_TABLES)
    found = contents(session)
    found.pop("ops.set_aside")
    found["ops.batch_days"] = [row for row in found["ops.batch_days"] if row[3:] != (0, 0, 0)]
    return found


EVENTS = st.sampled_from([click(client, DAY.format(day)) for client in ("ada", "bob", "", "eve") for day in (1, 2, 3)])
FILES = st.lists(st.lists(EVENTS, min_size=1, max_size=6), min_size=1, max_size=4)


SOME, SAME = (
    [click(client, DAY.format(day)) for client, day in (("ada", 1), ("bob", 1), ("", 2), ("", 2))],
    click("ada", DAY.format(1)),
)


@settings(
    max_examples=max(4, settings().max_examples // 8), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
@example([SOME, [SAME, SAME, click("eve", DAY.format(3))], [SAME, *SOME[2:]]], 0)
@example([SOME, [SAME, SAME, click("eve", DAY.format(3))], [SAME, *SOME[2:]]], 1)
@given(FILES, st.integers(0, 3))
def test_all_loaded_and_one_withdrawn_is_as_if_it_had_never_arrived(
    tmp_path_factory: pytest.TempPathFactory, files: Sequence[Sequence[Row]], gone: int
) -> None:
    gone %= len(files)
    folder = tmp_path_factory.mktemp("platform")

    def load(platform: Platform, session: Session, wanted: Collection[int]) -> None:
        for number in wanted:
            # Another column: files with the same rows are different content.
            load_rows(platform, session, [{**row, f"file_{number}": ""} for row in files[number]], f"{number}.csv")

    platform, other = open_platform(folder / "one"), open_platform(folder / "other")
    with platform.session() as session:
        load(platform, session, range(len(files)))
        withdraw(platform, session, f"{gone}.csv")
        left = as_left(session)
    with other.session() as session:
        load(other, session, [number for number in range(len(files)) if number != gone])
        assert left == as_left(session)


@pytest.mark.parametrize("gone", [0, 1])
def test_messages_that_were_delivered_again_come_back(platform: Platform, session: Session, gone: int) -> None:
    twice = [shop_message("ada", "2026-10-01T10:00:00Z"), "{broken"]
    deliveries = [twice, [*twice, shop_message("bob", "2026-10-01T11:00:00Z")]]
    for bodies in deliveries:
        load_messages(platform, session, bodies)
    ids = [row[0] for row in session.rows("SELECT batch_id FROM ops.pipeline_logs ORDER BY arrived_at")]
    withdraw_batch(session, platform.settings, platform.lake, find_batch(session, str(ids[gone])), "a test", "grace")
    left = session.rows("SELECT user_id, batch_id FROM cleaned.ecommerce_events ORDER BY ALL")
    kept = ids[1 - gone]
    assert left == [(user, kept) for user in (["ada", "bob"] if gone == 0 else ["ada"])]
    assert session.rows("SELECT batch_id, raw FROM ops.quarantine") == [(kept, "{broken")]
    assert load_drained(platform, session) == []


def test_a_withdrawn_batch_stays_in_the_audit_log_and_is_loaded_only_when_asked(
    platform: Platform, session: Session
) -> None:
    load_rows(platform, session, [GOOD, GOOD, click("", DAY.format(2))], "0.csv")
    before = contents(session)
    done = withdraw(platform, session, "0.csv")
    assert done.days.endswith("...2024-03-01")
    assert load_landed(platform, session) == []
    counts = "rows_read, rows_accepted, rows_duplicate, rows_quarantined"
    assert session.rows(f"SELECT state, reason, decided_by, {counts} FROM ops.set_aside") == [
        ("withdrawn", "wrong export", "grace", 3, 1, 1, 1)
    ]
    assert [session.count(f"ops.{name}") for name in ("pipeline_logs", "quarantine")] == [0, 0]
    ((batch_id,),) = session.rows("SELECT batch_id FROM ops.set_aside")
    with pytest.raises(WarehouseError, match="was withdrawn by"):
        withdraw(platform, session, "0.csv")
    assert [each.loaded for each in replay(session, platform.settings, platform.lake, {str(batch_id)})] == [
        Loaded(1, 1, 1)
    ]
    assert contents(session) == before


def test_a_withdrawn_batch_stays_withdrawn_in_a_warehouse_that_is_built_again_from_the_lake(
    platform: Platform, session: Session, tmp_path: Path
) -> None:
    load_rows(platform, session, [GOOD], "good.csv")
    load_rows(platform, session, [click("bob", DAY.format(2))], "wrong.csv")
    withdraw(platform, session, "wrong.csv")
    again = open_platform(tmp_path, warehouse_url=f"duckdb:///{tmp_path / 'again.duckdb'}")
    with again.session() as new:
        assert [each.rows_accepted for each in load_landed(again, new)] == [1]
        assert unloaded_batches(new, "withdrawn")[0].withdrawal == unloaded_batches(session, "withdrawn")[0].withdrawal
        assert has_every_batch(new, again.settings, dt.datetime.now(dt.UTC)).passed
        (replayed,) = replay(new, again.settings, again.lake, {unloaded_batches(new, "withdrawn")[0].batch_id})
        assert (replayed.moved, replayed.problem) == (1, "")
    third = open_platform(tmp_path, warehouse_url=f"duckdb:///{tmp_path / 'third.duckdb'}")
    with third.session() as new:
        assert [each.rows_accepted for each in load_landed(third, new)] == [1, 1]


def test_days_of_a_withdrawn_batch_are_still_to_be_built_after_a_kill(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD], "0.csv")
    load_rows(platform, session, [click("bob", DAY.format(3))], "1.csv")
    built = loadings(session)[-1].place
    withdraw(platform, session, "1.csv")
    (change,) = [each for each in loadings(session) if each.place > built]
    assert change.days == (dt.date(2024, 3, 3),)
    assert days_to_build(session, [change.batch_id], platform.settings).endswith("...2024-03-03")


def test_who_and_what_came_with_a_withdrawn_batch_alone_is_in_no_figure(platform: Platform, session: Session) -> None:
    def bought(client: str, day: int, product: str, user: str) -> Row:
        items = [{"item_id": each, "price": 25} for each in (product, "both")]
        data = {"transaction_id": f"T{client}{day}", "value": 50, "items": items, "item_list_name": product}
        return click(client, DAY.format(day), "purchase", data=data, user_id=user)

    days = DayRange(dt.date(2024, 3, 1), dt.date(2024, 3, 3))
    load_rows(platform, session, [bought("ada", 2, "Pa", "1"), bought("bob", 1, "Pb", "2")], "right.csv")
    build(session, days, platform.settings)
    kept = [name for name in all_models() if name.startswith(("sessionized.", "marts."))]
    before = contents(session, kept)
    load_rows(platform, session, [bought("bob", 3, "Pc", "2"), bought("eve", 3, "Pd", "3")], "wrong.csv")
    build(session, days, platform.settings)
    assert contents(session, kept) != before
    withdraw(platform, session, "wrong.csv")
    to_build = days_to_build(session, [loadings(session)[-1].batch_id], platform.settings)
    build(session, DayRange.parse(to_build), platform.settings)
    after = contents(session, kept)
    assert {name: after[name] for name in kept if after[name] != before[name]} == {}


def test_a_batch_that_never_loaded_can_be_withdrawn(platform: Platform, session: Session) -> None:
    platform.lake.put_bytes(CLICKSTREAM, "new.csv", ".csv", b"client_id\n")
    (batch,) = platform.lake.batches(CLICKSTREAM)
    card = find_batch(session, batch.batch_id[:8], platform.lake)
    assert withdraw_batch(session, platform.settings, platform.lake, card, "no", "grace") == Withdrawn((), (), "")
    assert load_landed(platform, session) == []


def test_what_must_be_loaded_again_must_be_in_the_lake(platform: Platform, session: Session) -> None:
    for name, rows in {"0.csv": [GOOD], "1.csv": [GOOD, click("bob", DAY.format(1))]}.items():
        load_rows(platform, session, rows, name)
    before = contents(session)
    platform.lake.batches(CLICKSTREAM)[1].path.unlink()
    with pytest.raises(WarehouseError, match=r"batch \w{16} \(1.csv\) may have duplicates of it, and cannot be loaded"):
        withdraw(platform, session, "0.csv")
    assert contents(session) == before


class BadSource:
    """The source clickstream, whose batches named bad.csv raise an error while they are validated."""

    def __init__(self, error: Exception) -> None:
        self._error = error
        self.name, self.contract = CLICKSTREAM, SOURCES[CLICKSTREAM].contract

    def validate(self, batch: Batch, settings: Settings) -> Iterator[object]:
        yield from SOURCES[CLICKSTREAM].validate(batch, settings)
        if batch.name == "bad.csv":
            raise self._error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RecursionError("too deep"), "it failed (too deep);"),
        (KeyError("id"), "it failed ('id');"),
        (duckdb.OutOfMemoryException("no room\nmore"), "more memory than WAREHOUSE_MEMORY allows (no room), raise it"),
        (duckdb.OutOfMemoryException("x (bad allocation)"), "than this machine, or container, gives (x (bad alloc"),
        (MemoryError(), "more memory than this machine, or container, gives (no reason was given): give it more, or w"),
        (duckdb.ConversionException("what"), "it failed (what);"),
    ],
)
def test_a_batch_that_fails_is_set_aside_and_the_others_load(
    platform: Platform, session: Session, error: Exception, words: str
) -> None:
    for name, client in {"a.csv": "ada", "bad.csv": "bad", "c.csv": "cyd"}.items():
        platform.lake.put_bytes(CLICKSTREAM, name, ".csv", _csv(click(client, DAY.format(1))))
    source = BadSource(error)
    for _ in range(2):
        list(load_new_batches(source, session, platform.settings, platform.lake, "run"))  # type: ignore[arg-type]
        assert session.rows("SELECT client_id FROM cleaned.clickstream ORDER BY 1") == [("ada",), ("cyd",)]
        (failed,) = unloaded_batches(session)
    assert (failed.input, failed.source) == ("bad.csv", CLICKSTREAM)
    assert f"{failed.batch_id} (bad.csv) of clickstream is not loaded: " in str(failed)
    assert words in str(failed)
    seen = has_every_batch(session, platform.settings, dt.datetime.now(dt.UTC))
    assert not seen.passed and seen.remedy == str(failed)
    (entry,) = replay(session, platform.settings, platform.lake, {failed.batch_id})
    assert entry.loaded == Loaded(1, 0, 0)
    assert unloaded_batches(session) == []


def _csv(row: Row) -> bytes:
    return f"{','.join(row)}\n{','.join(value.replace(',', ';') for value in row.values())}\n".encode()


@pytest.mark.parametrize(
    "error",
    [
        OSError("the disk is full"),
        duckdb.TransactionException('Failed to commit: Could not write file "w.duckdb.wal": No space left on device'),
    ],
)
def test_an_error_of_the_disk_sets_no_batch_aside(platform: Platform, session: Session, error: Exception) -> None:
    platform.lake.put_bytes(CLICKSTREAM, "bad.csv", ".csv", _csv(GOOD))
    source = BadSource(error)
    with pytest.raises(type(error)):
        list(load_new_batches(source, session, platform.settings, platform.lake, "run"))  # type: ignore[arg-type]
    assert unloaded_batches(session) == []


def test_long_rejected_texts_are_cut_and_still_known_when_they_come_again(platform: Platform, session: Session) -> None:
    long = '{"x": "' + "ä" * (2 * LONGEST_TEXT)
    many = [f"{number} {'y' * LONGEST_TEXT}" for number in range(TEXT_OF_A_BATCH // LONGEST_TEXT)]
    (loaded,) = load_messages(platform, session, [long, *many])
    assert loaded == Loaded(0, 0, 1 + len(many))
    kept = session.rows("SELECT length(raw), raw_length, raw_md5 IS NULL FROM ops.quarantine ORDER BY position")
    assert kept[0] == (LONGEST_TEXT, len(long), False)
    assert kept[-1] == (SHORT_TEXT, len(many[-1]), False)
    (again,) = load_messages(platform, session, [many[-1], long, "new"])
    assert again == Loaded(0, 2, 1)
    ((total,),) = session.rows("SELECT sum(length(raw)) FROM ops.quarantine")
    assert int(str(total)) <= TEXT_OF_A_BATCH + SHORT_TEXT * len(many)


@pytest.mark.parametrize("damage", ["missing", "short", "changed", "card"])
def test_a_damaged_batch_is_named_with_its_file_and_what_to_do_and_doing_it_helps(
    platform: Platform, session: Session, damage: str
) -> None:
    content = _csv(GOOD)
    bad = platform.lake.put_bytes(CLICKSTREAM, "bad.csv", ".csv", content)
    platform.lake.put_bytes(CLICKSTREAM, "good.csv", ".csv", _csv(click("bob", DAY.format(1))))
    card = bad.path.with_name(f"_{bad.content_sha256}.json")
    file, backup = (card, card.read_bytes()) if damage == "card" else (bad.path, content)
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes({"short": content[:-3], "changed": content.replace(b"ada", b"eve"), "card": b"{"}[damage])
    assert load_landed(platform, session) == [Loaded(1, 0, 0)]
    (failed,) = unloaded_batches(session)
    assert str(file) in failed.reason and "put it back from a backup" in failed.reason
    (entry,) = replay(session, platform.settings, platform.lake, {failed.batch_id})
    assert entry.problem == str(failed)
    file.write_bytes(backup)
    (entry,) = replay(session, platform.settings, platform.lake, {failed.batch_id})
    assert (entry.problem, entry.moved) == ("", 1)


def test_the_same_file_dropped_again_heals_the_lake(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [GOOD, click("", DAY.format(1))], "0.csv")
    (batch,) = platform.lake.batches(CLICKSTREAM)
    batch.path.write_bytes(batch.path.read_bytes().replace(b"ada", b"eve"))
    (entry,) = replay(session, platform.settings, platform.lake)
    assert f"its file {batch.path} is damaged" in entry.problem
    content = platform.landing.joinpath("0.csv").read_bytes()
    platform.landing.joinpath("0.csv").unlink()
    platform.landing.joinpath("0.csv").write_bytes(content)
    assert load_landed(platform, session) == []
    (entry,) = replay(session, platform.settings, platform.lake)
    assert entry.problem == ""
    assert platform.lake.batches(CLICKSTREAM) == [batch]


def test_a_replay_of_a_batch_that_the_lake_lost_says_so(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [click("", DAY.format(1))], "0.csv")
    (batch,) = platform.lake.batches(CLICKSTREAM)
    card = batch.path.with_name(f"_{batch.content_sha256}.json")
    card.unlink()
    (entry,) = replay(session, platform.settings, platform.lake)
    assert entry.problem.startswith(
        f"Batch {batch.batch_id} (0.csv) of clickstream was not replayed: its metadata file {card}"
    )


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff", json.dumps({"a": 1}).encode()])
def test_a_damaged_register_is_written_anew(platform: Platform, session: Session, content: bytes) -> None:
    load_rows(platform, session, [GOOD], "0.csv")
    register = platform.lake.root / CLICKSTREAM / "_landing.register"
    register.write_bytes(content)
    assert load_landed(platform, session) == []


def test_a_sheet_that_cannot_be_written_holds_up_no_other(platform: Platform, session: Session, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        load_rows(platform, session, [click("", DAY.format(1), page_url=name)], name)
    (tmp_path / "sheets" / "a.csv_errors.csv" / "in the way").mkdir(parents=True)
    said = list[str]()
    written = write_spreadsheets(session, tmp_path / "sheets", said.append, {"a.csv", "b.csv"})
    assert [path.name for path in written] == ["b.csv_errors.csv"]
    (sentence,) = said
    assert sentence.startswith(f"{tmp_path}/sheets/a.csv_errors.csv cannot be brought up to date (Is a directory): ")


def test_a_folder_of_sheets_that_cannot_be_used_is_one_sentence(
    platform: Platform, session: Session, tmp_path: Path
) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        load_rows(platform, session, [click("", DAY.format(1), page_url=name)], name)
    tmp_path.joinpath("sheets").touch()
    said = list[str]()
    assert write_spreadsheets(session, tmp_path / "sheets", said.append) == []
    assert [sentence.partition(" cannot")[0] for sentence in said] == [
        f"{tmp_path}/sheets/a.csv_errors.csv and 2 more beside it"
    ]
