"""The files keep their promises: the same bytes again, the error share, every kind of drift; and the orders for the
shop are those of the events, each once, and cost what the catalogue says.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from analytics_platform.demo.simulator import (
    PURCHASES,
    FolderInUseError,
    read_documents,
    read_messages,
    read_purchases,
    simulate,
)
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS
from analytics_platform.demo.simulator.events import DAY, MINUTE
from analytics_platform.demo.simulator.forms import DAY_STYLES, LATE_STYLES
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform_tests.demo.simulator.conftest import START, Traffic
from analytics_platform_tests.demo.simulator.log_reader import Log, read_document
from analytics_platform_tests.demo.simulator.message_reader import Message, read_body
from analytics_platform_tests.demo.simulator.reader import Row, distinct_rows, read_bytes, read_file


def digest_folder(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        simulate(5, 20, seed=3, out=tmp_path / name, start=START)
    simulate(5, 20, seed=4, out=tmp_path / "other", start=START)
    assert digest_folder(tmp_path / "one") == digest_folder(tmp_path / "two")
    assert digest_folder(tmp_path / "one") != digest_folder(tmp_path / "other")


def test_a_second_run_into_the_same_folder_writes_it_again(tmp_path: Path) -> None:
    first = simulate(2, 10, seed=1, out=tmp_path, start=START)
    assert simulate(2, 10, seed=1, out=tmp_path, start=START) == first


def test_other_traffic_in_the_folder_is_not_mixed_in(tmp_path: Path) -> None:
    simulate(2, 10, seed=1, out=tmp_path, start=START)
    before = digest_folder(tmp_path)
    with pytest.raises(FolderInUseError, match="empty folder"):
        simulate(1, 10, seed=1, out=tmp_path, start=START)
    assert digest_folder(tmp_path) == before


def test_without_a_start_the_last_day_is_yesterday(tmp_path: Path) -> None:
    days = simulate(2, 10, seed=1, out=tmp_path).total["all", "sessions_by_day"]
    assert datetime.now(UTC).date() - timedelta(days=2) <= date.fromisoformat(max(days)) < datetime.now(UTC).date()


def test_early_days_are_in_another_month_more_than_30_days_ago_and_people_come_back(tmp_path: Path) -> None:
    truth = simulate(4, 80, seed=1, out=tmp_path, start=START, early_days=2).total
    days = ["2026-10-02", "2026-10-03", "2026-11-01", "2026-11-02", "2026-11-03", "2026-11-04"]
    assert list(truth["all", "sessions_by_day"]) == days
    assert list(truth["all", "new_customers_by_month"]) == ["2026-10-01", "2026-11-01"]
    assert [path.stem for path in sorted(tmp_path.glob("messages/*"))] == days
    visits = sum(truth["all", "visitors_by_day"].values())
    assert truth["all", "persons"] < visits


def test_a_single_day_has_one_late_file(tmp_path: Path) -> None:
    simulate(1, 5, seed=1, out=tmp_path, start=START)
    assert len(list(tmp_path.glob("clickstream/*"))) == len(list(tmp_path.glob("late/clickstream/*"))) == 1


@pytest.mark.parametrize(
    ("pattern", "read", "share"),
    [
        ("clickstream/*", read_file, Fraction(3, 100)),
        ("messages/*", lambda path: [read_body(body) for body in read_messages(path)], Fraction(2, 100)),
        ("web_logs/*", lambda path: [read_document(text) for text in read_documents(path)], Fraction(2, 100)),
    ],
)
def test_each_file_has_as_many_broken_records_as_its_share_allows(
    traffic: Traffic, pattern: str, read: Callable[[Path], Sequence[Row | Message | Log]], share: Fraction
) -> None:
    for path in traffic.folder.rglob(pattern):
        records = read(path)
        broken = sum(bool(record.reason) for record in records)
        assert Fraction(broken, len(records)) <= share < Fraction(broken + 1, len(records) + 1)


def test_every_kind_of_drift_appears(traffic: Traffic) -> None:
    texts = [read_bytes(path) for path in traffic.total.files]
    headers = [text.split(b"\n")[0] for text in texts]
    assert any(header.startswith(b"clientId,") for header in headers)
    assert any(b"referrer" not in header for header in headers)
    assert any(b"app_version" in header for header in headers)
    assert any(header.startswith(b"timestamp,client_id") for header in headers)
    assert any(header.startswith(b"\xef\xbb\xbf") for header in headers)
    assert any(header.endswith(b"\r") for header in headers)
    assert any(not text.endswith(b"\n") for text in texts)
    assert any(path.suffix == ".gz" for path in traffic.total.files)
    times = [row.values["timestamp"] or "" for row in distinct_rows(traffic.total.rows)]
    assert {"Z", "+00:00", "+02:00"} <= {time[-1:] for time in times} | {time[-6:] for time in times}


def test_quoted_columns_never_open_a_row() -> None:
    assert all("user_agent" not in style.order[:2] for style in DAY_STYLES + LATE_STYLES)


def test_each_daily_file_holds_events_of_its_day_and_copies_of_the_day_before(traffic: Traffic) -> None:
    for number, rows in enumerate(traffic.before_late.files.values()):
        day = START + timedelta(days=number)
        days = Counter(row.at.date() for row in rows if not row.reason)
        assert set(days) <= {day, day - timedelta(days=1)}


def test_late_files_hold_earlier_days(traffic: Traffic) -> None:
    for path in traffic.total.files.keys() - traffic.before_late.files.keys():
        rows = traffic.total.files[path]
        arrived = date.fromisoformat(path.name[5:15])
        assert all(row.at.date() <= arrived for row in rows if not row.reason)
        assert sum(not row.reason for row in rows) > 10


def test_no_file_under_a_temporary_name_stays(traffic: Traffic) -> None:
    assert not list(traffic.folder.rglob("*.part"))


def test_some_events_carry_a_megabyte_or_several_lines(traffic: Traffic) -> None:
    texts = [row.values["event_data"] or "" for row in distinct_rows(traffic.total.rows)]
    assert sum(len(text.encode()) > 900_000 for text in texts) == 1
    assert sum("\n" in text for text in texts) == 5


def test_one_crawler_visits_every_day_without_a_pause(traffic: Traffic) -> None:
    times = traffic.total.times["googlebot-66-249-66-1"]
    assert max(later - earlier for earlier, later in pairwise(times)) <= 30 * MINUTE
    assert len(find_sessions(times)) == 7, "eight days: the first two are one session"


def test_the_late_kiosk_event_moves_a_start_to_a_midnight(traffic: Traffic) -> None:
    times = traffic.total.times["late-kiosk"]
    second = find_sessions(times)[1].starts_at
    assert second == min(at for at in times if at // DAY == times[0] // DAY + 2)


def test_every_order_of_the_events_is_there_once_with_what_it_cost(traffic: Traffic) -> None:
    truth = traffic.total.truth
    orders = list(read_purchases(traffic.folder / PURCHASES))

    assert len({(order.client_id, order.transaction_id) for order in orders}) == len(orders) == truth["all", "orders"]
    assert sum(order.revenue or 0 for order in orders) == Decimal(truth["all", "revenue"])
    assert [order.at for order in orders] == sorted(order.at for order in orders)


def test_an_order_costs_what_its_lines_cost_in_the_catalogue(traffic: Traffic) -> None:
    cents = {(product.item_id, variant.name): variant.cents for product in APP_PRODUCTS for variant in product.variants}
    for order in read_purchases(traffic.folder / PURCHASES):
        total = sum(cents[line.item_id, line.variant] * line.quantity for line in order.lines)
        assert order.goods == Decimal(total) / 100, order


def test_an_order_of_nothing_is_among_them(traffic: Traffic) -> None:
    free = [order for order in read_purchases(traffic.folder / PURCHASES) if not order.lines]
    assert [order.revenue for order in free] == [0]
