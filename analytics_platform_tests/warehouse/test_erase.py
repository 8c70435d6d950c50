"""A person is erased from every form of raw data and every table; all others, and the sums of orders, stay."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from analytics_platform.lake import FolderLake, LakeError
from analytics_platform.lake.codec import ALWAYS_BYTES
from analytics_platform.sources.arrivals.files import new_files
from analytics_platform.sources.person import Person
from analytics_platform.sources.registry import SOURCES
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import Session
from analytics_platform.warehouse.consistency import is_conserved
from analytics_platform.warehouse.erase import drop, drop_members, erase
from analytics_platform.warehouse.erasure import STATE, Place, end, open_erasure, save, search, unfinished
from analytics_platform.warehouse.ledger import find_batch, loadings
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.replay import replay
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import days_to_build
from analytics_platform.warehouse.withdraw import withdraw_batch
from analytics_platform_tests.kit import Platform, Row, build, click, contents, load_landed, load_rows, needed, to_csv
from analytics_platform_tests.names import CLICKSTREAM
from analytics_platform_tests.shop_logs import log, put_logs, put_users, user
from analytics_platform_tests.shop_messages import load_messages, shop_message
from analytics_platform_tests.shop_rows import customer, load_shop, order
from analytics_platform_tests.sources.test_person import ADA, MAIL, NAMED, OTHERS

DAYS = DayRange(dt.date(2026, 3, 1), dt.date(2026, 3, 3))
AT = "2026-03-0{}T10:0{}:00Z"
TABLES = needed("star.fact_orders", "star.fact_sessions", "star.dim_customer", "marts.customer_revenue", "ops.orphans")


def bought(client: str, at: str, number: str, revenue: str = "12.50", **columns: object) -> Row:
    data = {"transaction_id": number, "revenue": revenue, "items": [{"item_id": "x", "price": 5}], "email": MAIL}
    return click(client, at, "checkout_completed", data=data, **columns)


def erase_person(platform: Platform, session: Session, **identifiers: Sequence[str]) -> dict[str, int]:
    """Erase a person, and return what was found where."""
    found = {place.name: place.found for place in left(platform, session, **identifiers)}
    erasure = open_erasure(platform.lake, Person.of(**identifiers))
    assert not erase(session, platform.settings, platform.lake, erasure, "grace", print)
    return found


def left(platform: Platform, session: Session, **identifiers: Sequence[str]) -> list[Place]:
    erasure = open_erasure(platform.lake, Person.of(**identifiers))
    places = search(session, platform.settings, platform.lake, erasure)
    return [place for place in places if place.found or place.faults]


def test_a_person_is_erased_everywhere_and_their_orders_stay_in_the_sums(platform: Platform, session: Session) -> None:
    rows = [
        click(ADA, AT.format(1, 0), page_url=f"https://shop.example/account/{MAIL}"),
        bought(ADA, AT.format(1, 5), "T1"),
        click(
            ADA, AT.format(2, 5), "Order Completed", data={"orderNo": "T2", "Grand Total": 9, "currency_code": "EUR"}
        ),
        click("bob", AT.format(1, 0)),
        click("bob", AT.format(1, 1), data={"m": MAIL.upper()}),
        click(ADA, "yesterday"),
        click("", AT.format(2, 0), data={"c": ADA}),
        click("", AT.format(2, 0)),
    ]
    load_rows(platform, session, rows, "a.csv")
    load_rows(platform, session, [*rows[:3], click("eve", AT.format(3, 0))], "b.csv")
    write_spreadsheets(session, platform.settings.quarantine_dir, print)
    build(session, DAYS, platform.settings, TABLES)
    sums = "SELECT count(*), sum(revenue), sum(items), sum(quantity) FROM star.fact_orders"
    before = session.rows(sums)
    assert len(left(platform, session, client=[ADA], email=[MAIL])) > 10

    removed = erase_person(platform, session, client=[ADA], email=[MAIL])
    assert removed["lake: clickstream"] == removed["landing folder: clickstream"] == 9
    assert (removed["cleaned.clickstream"], removed["ops.quarantine"], removed["star.dim_customer"]) == (4, 2, 1)
    days = days_to_build(session, [each.batch_id for each in loadings(session)], platform.settings)
    assert days.endswith("...2026-03-03")
    build(session, DAYS, platform.settings, TABLES)

    assert left(platform, session, client=[ADA], email=[MAIL]) == []
    noted = loadings(session)
    erase_person(platform, session, client=[ADA], email=[MAIL])  # stopped before its proof, the command goes on
    assert loadings(session) == noted
    assert session.rows(sums) == before
    keys = session.rows("SELECT DISTINCT customer_key, starts_with(client_id, 'erased:') FROM star.fact_orders")
    assert keys == [(-1, True)]
    clients = session.rows("SELECT client_id FROM star.dim_customer ORDER BY 1")
    assert [client for (client,) in clients] == ["(not set)", "bob", "eve"]
    ledger = (
        "SELECT input, rows_read, rows_accepted, rows_duplicate, rows_quarantined FROM ops.pipeline_logs ORDER BY 1"
    )
    assert session.rows(ledger) == [("a.csv", 4, 3, 0, 1), ("b.csv", 3, 1, 2, 0)]
    assert is_conserved(session, platform.settings, dt.datetime.now(dt.UTC)).passed
    kept = "SELECT state, source, reason, decided_by FROM ops.set_aside"
    assert session.rows(kept) == [("erased", "", "a person was erased", "grace")]
    again = contents(session)
    assert load_landed(platform, session) == []  # the files in the landing folder are those of the lake
    platform.landing.joinpath("a.csv").write_text(to_csv(rows), "utf-8", newline="")
    assert load_landed(platform, session) == []  # dropped again the file of before is known
    assert contents(session) == again


def test_an_order_whose_items_name_the_person_stays_in_the_sums(platform: Platform, session: Session) -> None:
    """One order's items are a list, the other's a text."""
    item = {"item_id": "x", "item_name": f"Mug of {MAIL}", "item_list_name": f"Picks for {MAIL}", "price": 5}
    items = [item, {"item_id": MAIL, "item_name": "Card", "price": 2}]
    told = {"T1": items, "T2": json.dumps(items)}
    rows = [
        click(ADA, AT.format(1, 5), "purchase", data={"transaction_id": order, "items": each})
        for order, each in told.items()
    ]
    rows.append(click("bob", AT.format(1, 0)))
    load_rows(platform, session, rows, "a.csv")
    build(session, DAYS, platform.settings)
    sums = "SELECT count(*), sum(revenue), sum(items), sum(quantity) FROM star.fact_orders"
    before = session.rows(sums)
    assert before == [(2, 14, 4, 4)]
    erase_person(platform, session, client=[ADA], email=[MAIL])
    build(session, DAYS, platform.settings)
    drop_members(session, Person.of(client=[ADA], email=[MAIL]))
    assert session.rows(sums) == before
    assert left(platform, session, client=[ADA], email=[MAIL]) == []


def test_lake_and_tables_are_searched_by_what_the_gate_makes_of_a_value(platform: Platform, session: Session) -> None:
    at = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    emails = ["JÜRGEN+X@example.com", "ju\u0308rgen+x@Example.com", "jurgen+x@example.com"]
    load_shop(platform, session, "customers", [customer(17 + n, at, email=email) for n, email in enumerate(emails)])
    known = [click("c", at, user_id=text) for text in ("4711.0", " 4711 ", "20261125")]
    named = [click("c", at, page_url=f"/{n}", event_data=text) for n, text in enumerate(NAMED) if text[0] == "{"]
    named += [click("c", at, page_url=text) for text in NAMED if text[0] != "{"]
    named += [click("c", "yesterday", page_url=text) for text in NAMED]
    others = [click("c", at, page_url=text, user_id="47110") for text in OTHERS]
    load_rows(platform, session, [*known, *named, *others], "Of_Jürgen+x@example.com.csv")
    platform.landing.joinpath("2026/ju\u0308rgen+x@example.com").mkdir(parents=True)
    load_rows(platform, session, [click("d", at), click("d", "yesterday")], "2026/ju\u0308rgen+x@example.com/b.csv")
    latin = to_csv([click("e", at, page_url="/Jürgen+x@example.com"), click("f", at)])
    named_latin = os.fsencode(platform.landing) + "/of_Jürgen+x@example.com.csv".encode("latin-1")
    Path(os.fsdecode(named_latin)).write_bytes(latin.encode("latin-1"))
    load_landed(platform, session)
    write_spreadsheets(session, platform.settings.quarantine_dir, print)
    build(session, DAYS, platform.settings, TABLES)
    for path in platform.landing.rglob("*.csv"):
        path.chmod(0o664)

    given = {"user": ["4711", "20261125"], "client": ["2f6c1a9e"], "email": ["Jürgen+x@example.com"]}
    found = erase_person(platform, session, **given)
    assert (found["lake: clickstream"], found["lake: customers"]) == (len(known) + len(named) + 4, 2)
    assert found["landing folder: clickstream"] == found["lake: clickstream"]
    assert found["ops.quarantine"] == len(NAMED) + 3  # one of the documents is no JSON, a name of a file, Latin-1
    build(session, DAYS, platform.settings, TABLES)
    assert left(platform, session, **given) == []
    assert session.rows("SELECT customer_id FROM cleaned.customer_versions") == [("19",)]
    kept = {url for (url,) in session.rows("SELECT page_url FROM cleaned.clickstream")}
    assert kept == {row["page_url"] for row in others} | {"https://shop.example/"}
    assert not [path for path in platform.settings.data_dir.rglob("*") if "rgen" in path.name]
    landed = list(platform.landing.rglob("*.csv"))
    assert {path.stat().st_mode & 0o777 for path in landed} == {0o664}
    assert new_files(SOURCES[CLICKSTREAM], platform.settings, platform.lake) == []
    inputs = {name for (name,) in session.rows("SELECT input FROM ops.pipeline_logs WHERE source = 'clickstream'")}
    assert inputs == {path.relative_to(platform.landing).as_posix() for path in landed}


def test_what_is_left_is_named_with_its_place_and_what_to_do(platform: Platform, session: Session) -> None:
    rows = [click("c", "2026-03-01T10:00:00Z", page_url=f"/?m={MAIL}"), click("d", "2026-03-01T10:00:00Z")]
    load_rows(platform, session, rows, "a.csv")
    build(session, DAYS, platform.settings, {"cleaned.urls"})
    (batch,) = platform.lake.batches(CLICKSTREAM)
    places = {place.name: place.remedies for place in left(platform, session, email=[MAIL])}
    withdrawn = f"`analytics-platform withdraw {batch.batch_id} --reason '…'`, delete {batch.path}"
    assert withdrawn in places["lake: clickstream"][0]
    assert f"delete {platform.landing / 'a.csv'}" in places["landing folder: clickstream"][0]
    assert places["cleaned.urls"][0].startswith("cleaned.urls still has 1 row of the person: build the warehouse")
    withdraw_batch(session, platform.settings, platform.lake, find_batch(session, batch.batch_id), "x", "grace")
    batch.path.unlink()
    platform.landing.joinpath("a.csv").unlink()
    erase_person(platform, session, email=[MAIL])
    assert left(platform, session, email=[MAIL]) == []


@pytest.mark.parametrize(
    "address",
    [
        "https://shop.example/p?q=name+ada%40example.com",
        "https://shop.example/p?q=+ada@example.com",
        "https://shop.example/p?q=ada@exam\u00adple.com",
        "https://shop.example/p?search=ada@exam%E2%80%8Bple.com",
        "https://shop.example/p?utm_campaign=to+ada@example.com",
        "https%3A%2F%2Fshop.example%2Fp%3Fq%3Dname%252Bada%40example.com",
    ],
)
def test_what_the_build_reads_from_an_address_is_erased_for_good(
    address: str, platform: Platform, session: Session
) -> None:
    other = "https://shop.example/p?email=name%2Bada@example.com"  # the address of somebody else
    rows = [click("c", AT.format(1, 0), page_url=address), click("d", AT.format(1, 1), page_url=other)]
    load_rows(platform, session, rows, "a.csv")
    build(session, DAYS, platform.settings, {"cleaned.urls"})
    assert {place.name for place in left(platform, session, email=[MAIL])} == {
        *("lake: clickstream", "landing folder: clickstream", "cleaned.urls")
    }
    erase_person(platform, session, email=[MAIL])
    build(session, DAYS, platform.settings, {"cleaned.urls"})
    assert left(platform, session, email=[MAIL]) == []
    assert session.rows("SELECT page_url FROM cleaned.clickstream") == [(other,)]


def test_files_that_cannot_be_read_are_named_with_what_to_do(
    platform: Platform, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analytics_platform.warehouse.erasure._PIECE_BYTES", 4096)
    content = to_csv([click(ADA, AT.format(1, 0))])
    for name, encoding in {"wide.csv": "utf-16", "bare.csv": "utf-16-be"}.items():
        platform.landing.joinpath(name).write_bytes(content.encode(encoding))
    platform.landing.joinpath("latin.csv").write_bytes(f"é,{content}".encode("latin-1"))
    platform.landing.joinpath("late.csv").write_bytes(b"\xe9" * (4096 - len(content) // 2) + content.encode())
    platform.landing.joinpath("cut.csv.gz").write_bytes(gzip.compress(content.encode())[:-9])
    platform.landing.joinpath("bomb.csv.gz").write_bytes(gzip.compress(bytes(ALWAYS_BYTES + 1)))
    erasure = open_erasure(platform.lake, Person.of(client=[ADA]))
    places = search(session, platform.settings, platform.lake, erasure)
    faults = sorted(fault for place in places for fault in place.faults)
    assert [fault.partition(" (")[0] for fault in faults] == [
        f"{platform.landing / 'bare.csv'} names the person and cannot be read",
        f"{platform.landing / 'bomb.csv.gz'} cannot be searched for the person",
        f"{platform.landing / 'cut.csv.gz'} cannot be searched for the person",
        f"{platform.landing / 'late.csv'} names the person and cannot be read",
        f"{platform.landing / 'latin.csv'} names the person and cannot be read",
        f"{platform.landing / 'wide.csv'} names the person and cannot be read",
    ]
    assert all("delete it." in fault for fault in faults)


def test_a_client_whose_id_is_a_uuid_is_erased_in_any_case(platform: Platform, session: Session) -> None:
    at, uuid = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC), "6f9619ff-8b86-d011-b42d-00cf4fc964ff"
    load_rows(platform, session, [click(uuid, at), click("bob", at, page_url=f"/?of={uuid.upper()}"), click("eve", at)])
    load_shop(platform, session, "orders", [order(1, f"{uuid.upper()}/T1", 17, at)])
    erase_person(platform, session, client=[uuid.upper()])
    assert session.rows("SELECT client_id FROM cleaned.clickstream") == [("eve",)]
    assert session.rows("SELECT left(order_key, 7) FROM cleaned.order_versions") == [("erased:",)]


def test_an_order_of_a_client_with_a_slash_is_erased(platform: Platform, session: Session) -> None:
    at = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    load_shop(platform, session, "orders", [order(1, "a%2Fb/T/1", 17, at), order(2, "a/b/T2", 18, at)])
    erase_person(platform, session, client=["a/b"])
    assert left(platform, session, client=["a/b"]) == []
    found = session.rows("SELECT left(order_key, 7), right(order_key, 4) FROM cleaned.order_versions ORDER BY order_id")
    assert found == [("erased:", "/T/1"), ("erased:", "b/T2")]


def test_identifiers_of_a_profile_are_erased_with_it(platform: Platform, session: Session) -> None:
    at = dt.datetime(2026, 3, 1, 10, tzinfo=dt.UTC)
    load_shop(platform, session, "customers", [customer(17, at, email=MAIL), customer(18, at, email="bob@example.com")])
    load_shop(platform, session, "orders", [order(1, "c1/T1", 17, at), order(2, "c2/T2", 18, at)])
    put_users(platform, user(7, email="ADA@example.com"), user(8, email="bob@example.com"))
    put_logs(platform, [log(7, at), log(8, at)])
    bodies = [
        shop_message("7", AT.format(1, 0)),
        shop_message(
            "7",
            AT.format(1, 1),
            "purchase",
            transaction_id="T9",
            value=5,
            currency="EUR",
            items=[{"item_id": "x"}],
            x="Ada",
        ),
        shop_message("8", AT.format(1, 0), params={"customer_id": 17}),
        shop_message("8", AT.format(1, 1)),
    ]
    load_messages(platform, session, bodies)
    for name in ("users", "web_logs"):
        assert len(list(load_new_batches(SOURCES[name], session, platform.settings, platform.lake, "test"))) == 1
    erasure = open_erasure(platform.lake, Person.of(email=[MAIL]))
    assert erasure.person == Person.of(email=[MAIL], user=["7", "17"], customer=["17"])
    erase_person(platform, session, email=[MAIL])
    assert left(platform, session, email=[MAIL]) == []
    one = session.rows
    assert one("SELECT user_id FROM cleaned.user_versions") == one("SELECT user_id FROM cleaned.web_logs") == [("8",)]
    assert one("SELECT customer_id FROM cleaned.customer_versions") == [("18",)]
    found = one("SELECT left(order_key, 7), customer_id, total FROM cleaned.order_versions ORDER BY customer_id")
    assert [(key, customer_id) for key, customer_id, _ in found] == [("erased:", "-1"), ("c2/T2", "18")]
    columns = "left(client_id, 7), user_id, event_name, transaction_id, CAST(revenue AS VARCHAR), currency"
    assert one(f"SELECT {columns} FROM cleaned.ecommerce_events ORDER BY user_id") == [
        ("user:8", "8", "view_item", None, None, None),
        ("erased:", None, "purchase", "T9", "5.0000", "EUR"),
    ]


def test_batches_that_are_withdrawn_or_wait_stay_so_without_the_person(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [click(ADA, AT.format(1, 0)), click("bob", AT.format(1, 0))], "a.csv")
    ((batch_id,),) = session.rows("SELECT batch_id FROM ops.pipeline_logs")
    card = find_batch(session, str(batch_id), platform.lake)
    withdraw_batch(session, platform.settings, platform.lake, card, f"wrong: {ADA}", "grace")
    erase_person(platform, session, client=[ADA])
    (stored,) = platform.lake.batches(CLICKSTREAM)
    assert stored.withdrawal and "erased" in stored.withdrawal.reason and ADA not in stored.withdrawal.reason
    ((state, batch_id),) = session.rows("SELECT state, batch_id FROM ops.set_aside WHERE source <> ''")
    assert (state, session.count("cleaned.clickstream")) == ("withdrawn", 0)
    list(replay(session, platform.settings, platform.lake, {str(batch_id)}))
    assert session.rows("SELECT client_id FROM cleaned.clickstream") == [("bob",)]


def test_an_erasure_that_was_killed_is_finished_with_the_next(platform: Platform, session: Session) -> None:
    load_rows(platform, session, [click(ADA, AT.format(1, 0)), click("client-2002", AT.format(1, 0))], "a.csv")
    save(platform.lake, open_erasure(platform.lake, Person.of(client=[ADA])))
    erase_person(platform, session, client=["client-2002"])
    assert session.count("cleaned.clickstream") == 0
    assert unfinished(platform.lake) is not None
    end(platform.lake)
    assert unfinished(platform.lake) is None


def test_an_erasure_that_was_killed_can_be_dropped_and_no_row_is_there_twice(
    platform: Platform, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_rows(platform, session, [click(ADA, AT.format(1, 0)), click("bob", AT.format(1, 0))], "a.csv")
    load_rows(platform, session, [bought(ADA, AT.format(1, 1), "T1")], "b.csv")
    monkeypatch.setattr(FolderLake, "forget", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erase_person(platform, session, client=[ADA])
    monkeypatch.undo()
    erasure = unfinished(platform.lake)
    assert erasure is not None
    assert drop(session, platform.settings, platform.lake, erasure, "grace") == []
    assert unfinished(platform.lake) is None
    erase_person(platform, session, client=["bob"])
    clients = session.rows("SELECT left(client_id, 7) FROM cleaned.clickstream")
    assert clients == [("erased:",)]
    assert len(platform.lake.batches(CLICKSTREAM)) == 2


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"client": 1}'])
def test_of_an_erasure_whose_file_is_damaged_the_remedy_erases_the_person(
    platform: Platform, session: Session, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    load_rows(platform, session, [click(ADA, AT.format(1, 0)), click("bob", AT.format(1, 0))], "a.csv")
    monkeypatch.setattr(FolderLake, "forget", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        erase_person(platform, session, client=[ADA])
    monkeypatch.undo()
    state = platform.lake.root / STATE
    state.write_text(damage)
    with pytest.raises(LakeError, match="is damaged: delete it, and erase the person again"):
        erase_person(platform, session, client=[ADA])
    state.unlink()
    state.mkdir()
    with pytest.raises(LakeError, match="is damaged: delete it, and erase the person again"):
        erase_person(platform, session, client=[ADA])
    state.rmdir()
    erase_person(platform, session, client=[ADA])
    assert session.rows("SELECT client_id FROM cleaned.clickstream") == [("bob",)]
    assert len(platform.lake.batches(CLICKSTREAM)) == 1
