"""What tells two events apart: their own id with client, name and time, else all that they say."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Loaded, Session
from analytics_platform.warehouse.ledger import find_batch
from analytics_platform.warehouse.replay import replay
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import (
    VOLATILE,
    Contents,
    Platform,
    Row,
    build,
    build_touched,
    click,
    contents,
    load_rows,
    needed,
    open_platform,
    opened,
)
from analytics_platform_tests.shop_messages import load_messages, shop_message

AT = "2024-03-01T10:00:00Z"
DATA = {"transaction_id": "T1", "revenue": 10.5, "items": [{"item_id": "p1", "item_name": "Café", "price": 5}]}
OTHER_ORDER = (
    '{ "items":[{"price":5,"item_name":"Cafe\\u0301", "item_id" : "p1"}],"revenue":10.50,"transaction_id":"T1"}'
)


def owned(client: str = "ada", at: str = AT, name: str = "page_viewed", **columns: object) -> Row:
    """An event with the own id e1."""
    return click(client, at, name, **{"event_id": "e1", **columns})


DUPLICATE, REUSED, ANOTHER = Loaded(0, 1, 0), Loaded(1, 0, 0, id_reused=1), Loaded(1, 0, 0)

WITH_OWN_ID = {
    "restated": (owned(), DUPLICATE),
    "restated in another zone": (owned(at="2024-03-01T12:00:00+02:00"), DUPLICATE),
    "restated as a unix time": (owned(at="1709287200000"), DUPLICATE),
    "restated with other content": (owned(page_url="https://shop.example/b", data={"a": 1}), DUPLICATE),
    "restated with a user": (owned(user_id="u1"), DUPLICATE),
    "of another client": (owned("bob"), REUSED),
    "of another event": (owned(name="checkout_started"), REUSED),
    "a microsecond later": (owned(at="2024-03-01T10:00:00.000001Z"), REUSED),
    "on the next day": (owned(at="2024-03-02T10:00:00Z"), REUSED),
    "on the day before": (owned(at="2024-02-29T23:00:00Z"), REUSED),
    "in another case": (owned(event_id="E1"), ANOTHER),
    "with blanks around it": (owned(event_id=" e1 "), DUPLICATE),
    "without an own id": (owned(event_id=""), ANOTHER),
    "with zero for it": (owned(event_id="0"), ANOTHER),
    "with a placeholder for it": (owned(event_id="undefined"), ANOTHER),
}
"""What comes after the event of `owned()`, and what becomes of it."""


def of_case(row: Row, number: int) -> Row:
    """The row with a client and an own id that no other case has."""
    own_id = row.get("event_id", "").replace("1", f"1{number:02}")
    return {**row, "client_id": f"{row['client_id']}{number:02}", "event_id": own_id}


def rows_of_cases(session: Session) -> dict[int, int]:
    """Case → how many of its rows are stored."""
    cases = "SELECT right(client_id, 2), count(*) FROM cleaned.clickstream GROUP BY 1"
    return {int(case): rows for case, rows in session.rows(cases)}


def test_an_own_id_with_client_name_and_time_is_an_event(platform: Platform, session: Session) -> None:
    expected = [became for _, became in WITH_OWN_ID.values()]
    firsts = [of_case(owned(), number) for number in range(len(expected))]
    seconds = [of_case(row, number) for number, (row, _) in enumerate(WITH_OWN_ID.values())]
    assert load_rows(platform, session, firsts, "first.csv") == [Loaded(len(expected), 0, 0)]
    assert load_rows(platform, session, [*seconds, click("", AT)], "second.csv") == [
        Loaded(len(expected) - expected.count(DUPLICATE), expected.count(DUPLICATE), 1, expected.count(REUSED))
    ]
    stored = rows_of_cases(session)
    wrong = {name for number, name in enumerate(WITH_OWN_ID) if stored[number] != 1 + expected[number].rows_accepted}
    assert wrong == set()
    reused = session.rows("SELECT id_reused FROM ops.pipeline_logs ORDER BY finished_at")
    assert reused == [(0,), (expected.count(REUSED),)]


def test_an_own_id_is_not_looked_for_weeks_before(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [owned()], "first.csv")
    assert load_rows(platform, session, [owned(at="2024-03-21T10:00:00Z")], "second.csv") == [ANOTHER]


def plain(data: object = DATA, **columns: object) -> Row:
    """An event without an own id."""
    return click("ada", AT, "checkout_completed", data=data, **columns)


WITHOUT_OWN_ID = {
    "the same": (plain(), plain(), True),
    "keys in another order": (plain(), plain(OTHER_ORDER), True),
    "no object": (plain(""), plain("{}"), True),
    "null": (plain(""), plain("null"), True),
    "a key without a value": (plain({"a": 1}), plain({"a": 1, "b": None}), True),
    "only keys without a value": (plain(" { } "), plain({"b": None}), True),
    "a placeholder": (plain(referrer=""), plain(referrer="(not set)"), True),
    "another normal form": (plain(page_url="/Café"), plain(page_url="/Cafe\u0301"), True),
    "blanks": (plain(page_url="/a"), plain(page_url=" /a "), True),
    "received later": (plain(received_at=AT), plain(received_at="2024-03-01T11:00:00Z"), True),
    "an empty unknown column": (plain(), plain(colour=""), True),
    "unknown columns in another order": (plain(a="1", b="2"), {**plain(), "b": "2", "a": "1"}, True),
    "a number with a fraction of nothing": (
        plain({"a": 5, "b": [0, -10, 2.5], "c": "5.0,"}),
        plain('{"a": 5.0, "b": [-0.0, -1e1, 2.50], "c": "5.0,"}'),
        True,
    ),
    "encoded twice": (plain(), plain(json.dumps(OTHER_ORDER)), True),
    "items as a text": (plain(), plain({**DATA, "items": json.dumps(DATA["items"])}), True),
    "JSON in an unknown column": (plain(a='{"x": 1, "y": [2.0]}'), plain(a='{"y":[2],"x":1}'), True),
    "other JSON in an unknown column": (plain(a='{"x": 1}'), plain(a='{"x": 2}'), False),
    "texts that look like numbers": (plain({"a": "x:5.0,"}), plain({"a": "x:5,"}), False),
    "texts of numbers": (plain({"a": "5.0"}), plain({"a": "5"}), False),
    "almost a whole number": (plain({"a": 5.05}), plain({"a": 55}), False),
    "another unknown column": (plain(line="1"), plain(line="2"), False),
    "an unknown column more": (plain(), plain(line="1"), False),
    "another page": (plain(), plain(page_url="/b"), False),
    "another referrer": (plain(), plain(referrer="https://a.example/"), False),
    "another user agent": (plain(), plain(user_agent="facebookexternalhit/1.1"), False),
    "another user": (plain(), plain(user_id="u1"), False),
    "items in another order": (plain([1, 2]), plain([2, 1]), False),
    "another value": (plain({"a": 1}), plain({"a": "1"}), False),
    "values at other keys": (plain({"a": 1, "b": 2}), plain({"a": 2, "b": 1}), False),
}


def test_an_own_id_is_the_same_as_a_number(platform: Platform, session: Session) -> None:
    rows = [owned(event_id=event_id) for event_id in ("123", "123.0", " 123 ", "123.5")]
    assert load_rows(platform, session, rows) == [Loaded(2, 2, 0)]


def test_without_an_own_id_all_that_an_event_says_tells_it_apart(platform: Platform, session: Session) -> None:
    cases = list(enumerate(WITHOUT_OWN_ID.values()))
    load_rows(platform, session, [of_case(first, number) for number, (first, _, _) in cases], "first.csv")
    load_rows(platform, session, [of_case(second, number) for number, (_, second, _) in cases], "second.csv")
    stored = rows_of_cases(session)
    wrong = {name for number, name in enumerate(WITHOUT_OWN_ID) if stored[number] != 2 - WITHOUT_OWN_ID[name][2]}
    assert wrong == set()


def test_rows_that_differ_only_in_unknown_columns_are_all_kept(platform: Platform, session: Session) -> None:
    rows = [plain(invoice="536365", stock_code=str(n % 10), quantity=str(n // 10)) for n in range(100)]
    assert load_rows(platform, session, rows) == [Loaded(100, 0, 0)]


def test_an_id_is_counted_once_for_each_event_that_has_it_after_the_first(platform: Platform, session: Session) -> None:
    clients = [owned(client) for client in ("ada", "bob", "bob", "eve")]
    assert load_rows(platform, session, clients, "first.csv") == [Loaded(3, 1, 0, id_reused=2)]
    assert load_rows(platform, session, [owned("kim"), owned("ada"), click("kim", AT)], "second.csv") == [
        Loaded(2, 1, 0, id_reused=1)
    ]


def test_a_robot_that_comes_first_does_not_hide_the_person_with_the_same_id(
    platform: Platform, session: Session
) -> None:
    load_rows(platform, session, [owned("robot", user_agent="facebookexternalhit/1.1"), owned("ada")])
    assert session.rows("SELECT client_id FROM cleaned.clickstream ORDER BY 1") == [("ada",), ("robot",)]


def test_the_same_id_from_two_sources_is_two_events(platform: Platform, session: Session) -> None:
    for name in ("cleaned.clickstream", "cleaned.ecommerce_events"):
        session.ensure(CONTRACTS[name])
    load_rows(platform, session, [click("d1", AT, "view_item", event_id="e1")])
    message = shop_message("u1", AT, client_id="d1", event_id="e1")
    (loaded,) = load_messages(platform, session, [message, message])
    assert loaded == Loaded(1, 1, 0)
    day = DayRange(dt.date(2024, 3, 1), dt.date(2024, 3, 1))
    build(session, day, platform.settings, needed("sessionized.session_events"))
    assert session.rows("SELECT count(*), count(DISTINCT event_id) FROM sessionized.session_events") == [(2, 2)]


def test_messages_without_an_id_are_told_apart_by_what_they_say_not_by_when_they_were_sent(
    platform: Platform, session: Session
) -> None:
    session.ensure(CONTRACTS["cleaned.ecommerce_events"])
    bodies = [shop_message("u1", AT, campaign=name) for name in ("a", "b", "a")]
    assert load_messages(platform, session, bodies) == [Loaded(2, 1, 0)]


def test_a_re_export_with_equal_content_changes_no_table(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [plain(), owned()], "day.csv")
    before = _events(session)
    again = [owned(at="2024-03-01 10:00:00.000 UTC"), plain(OTHER_ORDER), {**plain(), "colour": ""}]
    assert load_rows(platform, session, again, "again.csv") == [Loaded(0, 3, 0)]
    assert _events(session) == before


def test_a_corrected_export_takes_the_place_of_the_withdrawn_one(platform: Platform, session: Session) -> None:
    wrong = [owned(), owned("bob", page_url="/wrong"), plain({"revenue": 1})]
    right = [owned(), owned("bob", page_url="/right"), plain({"revenue": 2})]
    (loaded,) = load_rows(platform, session, wrong, "day.csv")
    card = find_batch(session, _batches(session)[0])
    withdraw_batch(session, platform.settings, platform.lake, card, "wrong prices", "ada")
    assert load_rows(platform, session, right, "day.csv") == [loaded]
    found = _events(session)
    with _other_platform(platform) as (other, fresh):
        load_rows(other, fresh, right, "day.csv")
        assert found == _events(fresh)


def test_what_an_own_id_is_used_for_again_comes_back_when_the_first_is_withdrawn(
    platform: Platform, session: Session
) -> None:
    load_rows(platform, session, [owned()], "first.csv")
    first = find_batch(session, _batches(session)[0])
    load_rows(platform, session, [owned(), owned("bob")], "second.csv")
    withdraw_batch(session, platform.settings, platform.lake, first, "a test", "ada")
    assert session.rows("SELECT rows_accepted, rows_duplicate, id_reused FROM ops.pipeline_logs") == [(2, 0, 1)]


def test_a_replay_counts_the_ids_of_all_rows_of_the_batch(platform: Platform, session: Session) -> None:
    late = open_platform(platform.settings.data_dir, partition_start=dt.date(2024, 3, 2))
    rows = [owned(), owned(at="2024-03-02T10:00:00Z"), click("bob", "2024-03-02T10:00:00Z")]
    assert load_rows(late, session, rows, "first.csv") == [Loaded(2, 0, 1)]
    assert load_rows(late, session, [owned("bob", "2024-03-02T10:00:00Z")], "second.csv") == [REUSED]
    (done,) = replay(session, platform.settings, platform.lake)
    assert (done.moved, done.loaded) == (1, Loaded(3, 0, 0, id_reused=2))
    assert session.rows("SELECT sum(id_reused)::BIGINT FROM ops.pipeline_logs") == [(3,)]


def test_events_at_the_same_time_keep_the_order_of_their_batch(platform: Platform, session: Session) -> None:
    pages = [f"/{letter}" for letter in "hbzcaqxd"]
    load_rows(platform, session, [click("ada", AT, page_url=page) for page in pages])
    day = DayRange(dt.date(2024, 3, 1), dt.date(2024, 3, 1))
    build(session, day, platform.settings, needed("sessionized.sessions"))
    found = session.rows(
        "SELECT page_path FROM sessionized.session_events JOIN cleaned.events USING (event_id) ORDER BY event_index"
    )
    assert [page for (page,) in found] == pages
    assert session.rows("SELECT entry_page, exit_page FROM sessionized.sessions") == [(pages[0], pages[-1])]


def test_a_warehouse_from_before_own_ids_were_kept_takes_in_new_batches(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [click("ada", AT)], "old.csv")
    for table, column in (("ops.pipeline_logs", "id_reused"), ("cleaned.clickstream", "source_event_id")):
        session.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    with platform.session() as later:
        assert load_rows(platform, later, [owned(), owned("bob")], "new.csv") == [Loaded(2, 0, 0, id_reused=1)]
    assert session.rows("SELECT id_reused FROM ops.pipeline_logs ORDER BY finished_at") == [(None,), (1,)]


TABLES = needed("sessionized.sessions", "sessionized.purchases")
FIRST = dt.datetime(2024, 3, 1, 22, tzinfo=dt.UTC)
DAYS = DayRange(FIRST.date(), FIRST.date() + dt.timedelta(days=2))


def _written(chance: random.Random, number: int) -> list[Row]:
    """Write an event in several ways. Some share their id with another client, day or name; some have none."""
    at = FIRST + number * dt.timedelta(minutes=chance.choice([7, 43, 91]), microseconds=number)
    data = {"transaction_id": f"T{number % 3}", "revenue": number, "items": [{"item_id": "p1", "price": 2}]}
    texts = [json.dumps(data), json.dumps(dict(reversed(data.items())), indent=1)]
    times = [at.isoformat(), at.astimezone(dt.timezone(dt.timedelta(hours=5))).isoformat()]
    columns: dict[str, Any] = {"event_id": chance.choice(["", f"e{number % 3}"]), "line": str(number % 2)}
    client, name = chance.choice(["ada", "bob"]), chance.choice(["page_viewed", "checkout_completed"])
    return [click(client, time, name, data=text, **columns) for time in times for text in texts]


def _files(chance: random.Random, events: Sequence[Sequence[Row]]) -> list[list[Row]]:
    """Put each event into one to three files, in any order and form."""
    files: list[list[Row]] = [[] for _ in range(chance.randrange(1, 5))]
    for event in chance.sample(events, len(events)):
        for file in chance.choices(files, k=chance.randrange(1, 4)):
            file.insert(chance.randrange(len(file) + 1), chance.choice(event))
    return [file for file in files if file]


@pytest.mark.parametrize("kind", ["duckdb", "postgres"])
@settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(chance=st.randoms(use_true_random=False))
def test_the_tables_are_the_same_in_whichever_files_events_come_and_come_again(
    tmp_path_factory: pytest.TempPathFactory, kind: str, chance: random.Random
) -> None:
    events = [_written(chance, number) for number in range(12)]
    found = []
    for day_by_day in (False, True):
        with opened(kind, tmp_path_factory.mktemp("p")) as (platform, session):
            for number, rows in enumerate(_files(chance, events)):
                load_rows(platform, session, rows, f"{number}.csv")
                if day_by_day:
                    touched = {day for (day,) in session.rows("SELECT DISTINCT event_date FROM cleaned.clickstream")}
                    build_touched(session, touched, DAYS, platform.settings, TABLES)
            if not day_by_day:
                build(session, DAYS, platform.settings, TABLES)
            found.append(_events(session, *TABLES))
    assert found[0] == found[1]


def _events(session: Session, *tables: str) -> Contents:
    """Return the tables without what says in which batch a row came and where."""
    found = {}
    for name, rows in contents(session, tables or ("cleaned.clickstream", "ops.quarantine")).items():
        columns = [column for column in CONTRACTS[name].columns if column not in VOLATILE.get(name, ())]
        kept = [place for place, column in enumerate(columns) if column not in ("batch_id", "position")]
        found[name] = sorted((tuple(row[place] for place in kept) for row in rows), key=repr)
    return found


def _batches(session: Session) -> list[str]:
    return [batch for (batch,) in session.rows("SELECT batch_id FROM ops.pipeline_logs ORDER BY finished_at")]


@contextmanager
def _other_platform(platform: Platform) -> Iterator[tuple[Platform, Session]]:
    other = open_platform(platform.settings.data_dir / "other")
    with other.session() as session:
        yield other, session
