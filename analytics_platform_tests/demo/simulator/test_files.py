"""The files keep their promises: the same bytes again, the error share, every kind of drift and breakage;
and the orders told to the shop are those of the events, each once, and cost what the catalogue says.
"""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.demo.simulator import PURCHASES, FolderInUseError, read_purchases, simulate
from analytics_platform.demo.simulator.breakage import BROKEN_ROWS, count_broken
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS
from analytics_platform.demo.simulator.events import DAY, MINUTE
from analytics_platform.demo.simulator.rows import DAY_STYLES, LATE_STYLES, USER_AGENT
from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform_tests.demo.simulator.conftest import START, Traffic
from analytics_platform_tests.demo.simulator.reader import read_bytes, read_file


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


@pytest.mark.parametrize(("days", "visitors", "share"), [(0, 1, 0.03), (1, 0, 0.03), (1, 1, -0.1), (1, 1, 0.5)])
def test_senseless_arguments_are_refused(tmp_path: Path, days: int, visitors: int, share: float) -> None:
    with pytest.raises(ValueError, match="must be"):
        simulate(days, visitors, seed=1, out=tmp_path, start=START, error_share=share)


def test_without_a_start_the_last_day_is_yesterday(tmp_path: Path) -> None:
    truth = simulate(2, 10, seed=1, out=tmp_path)
    assert date.fromisoformat(max(truth.events_by_day)) >= datetime.now(UTC).date() - timedelta(days=2)
    assert datetime.fromisoformat(max(truth.events_by_day)).date() < datetime.now(UTC).date()


def test_a_single_day_has_one_late_file(tmp_path: Path) -> None:
    truth = simulate(1, 5, seed=1, out=tmp_path, start=START)
    assert (truth.before_late.files, truth.files) == (1, 2)


def test_progress_is_told_after_each_file(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    simulate(2, 5, seed=1, out=tmp_path, start=START, progress=lambda done, total: told.append((done, total)))
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "truth.json"]
    assert told == [(number, len(files)) for number in range(1, len(files) + 1)]


@pytest.mark.parametrize("share", [0.0, 0.03, 0.058, 0.4])
def test_no_file_has_more_broken_rows_than_asked_for(tmp_path: Path, share: float) -> None:
    simulate(3, 40, seed=2, out=tmp_path, start=START, error_share=share)
    for path in tmp_path.rglob("*.csv*"):
        rows = read_file(path)
        broken = sum(bool(row.reason) for row in rows)
        assert Fraction(broken, len(rows)) <= Fraction(str(share))
        assert broken >= int(len(rows) * share) - 1


@given(st.integers(0, 10_000_000), st.fractions(0, Fraction(2, 5)))
def test_broken_rows_are_as_many_as_the_share_allows_and_not_one_more(sound: int, share: Fraction) -> None:
    broken = count_broken(sound, share)
    assert broken <= share * (sound + broken)
    assert broken + 1 > share * (sound + broken + 1)


def test_every_kind_of_broken_row_appears(traffic: Traffic) -> None:
    assert set(traffic.truth.quarantined_by_reason) == {breakage.reason for breakage in BROKEN_ROWS}


def test_every_kind_of_drift_appears(traffic: Traffic) -> None:
    texts = [read_bytes(path) for path in traffic.files]
    headers = [text.split(b"\n")[0] for text in texts]
    assert any(header.startswith(b"clientId,") for header in headers)
    assert any(b"referrer" not in header for header in headers)
    assert any(b"app_version" in header for header in headers)
    assert any(header.startswith(b"timestamp,client_id") for header in headers)
    assert any(header.startswith(b"\xef\xbb\xbf") for header in headers)
    assert any(header.endswith(b"\r") for header in headers)
    assert any(not text.endswith(b"\n") for text in texts)
    assert any(path.suffix == ".gz" for path in traffic.files)
    assert {"Z", "+00:00", "+02:00"} <= {(row.values["timestamp"] or "")[-1:] for row in traffic.events} | {
        (row.values["timestamp"] or "")[-6:] for row in traffic.events
    }


def test_quoted_columns_never_open_a_row() -> None:
    assert all(USER_AGENT not in style.order[:2] for style in DAY_STYLES + LATE_STYLES)


def test_each_daily_file_holds_events_of_its_day_and_copies_of_the_day_before(traffic: Traffic) -> None:
    for number, rows in enumerate(traffic.on_time.values()):
        day = START + timedelta(days=number)
        days = Counter(row.at.date() for row in rows if not row.reason)
        assert set(days) <= {day, day - timedelta(days=1)}


def test_late_files_hold_earlier_days(traffic: Traffic) -> None:
    for path, rows in traffic.late.items():
        arrived = date.fromisoformat(path.name[5:15])
        assert all(row.at.date() <= arrived for row in rows if not row.reason)
        assert sum(not row.reason for row in rows) > 10


def test_no_file_under_a_temporary_name_stays(traffic: Traffic) -> None:
    assert not list(traffic.folder.rglob("*.part"))


def test_some_events_carry_a_megabyte_or_several_lines(traffic: Traffic) -> None:
    texts = [row.values["event_data"] or "" for row in traffic.events]
    assert sum(len(text.encode()) > 900_000 for text in texts) == 1
    assert sum("\n" in text for text in texts) == 5


def test_the_tireless_crawler_visits_every_day_without_a_pause(traffic: Traffic) -> None:
    times = traffic.times_of("googlebot-66-249-66-1")
    assert max(later - earlier for earlier, later in pairwise(times)) <= 30 * MINUTE
    assert len(find_sessions(times)) == 7, "eight days: the first two are one session"


def test_the_hand_made_edges_end_as_named(traffic: Traffic) -> None:
    expected = {
        "edge-exactly-30-minutes": 1,
        "edge-one-millisecond-more": 2,
        "edge-one-second-more": 2,
        "midnight-crosser": 1,
        "midnight-exactly": 1,
        "midnight-last-millisecond": 1,
        "midnight-twice": 2,
        "late-fills-pause": 1,
        "late-before-midnight": 1,
        "late-kiosk": 2,
    }
    assert {client: len(find_sessions(traffic.times_of(client))) for client in expected} == expected


def test_the_late_kiosk_event_moves_a_start_to_a_midnight(traffic: Traffic) -> None:
    times = traffic.times_of("late-kiosk")
    second = find_sessions(times)[1].starts_at
    assert second == min(at for at in times if at // DAY == times[0] // DAY + 2)


def test_every_order_of_the_events_is_there_once_with_what_it_cost(traffic: Traffic) -> None:
    truth = traffic.truth.sources.total.all_sources
    orders = list(read_purchases(traffic.folder / PURCHASES))

    assert len({(order.client_id, order.transaction_id) for order in orders}) == len(orders) == truth.orders
    assert sum(order.revenue for order in orders) == Decimal(truth.revenue)
    assert [order.at for order in orders] == sorted(order.at for order in orders)


def test_an_order_costs_what_its_lines_cost_in_the_catalogue(traffic: Traffic) -> None:
    cents = {(product.item_id, variant.name): variant.cents for product in APP_PRODUCTS for variant in product.variants}
    for order in read_purchases(traffic.folder / PURCHASES):
        total = sum(cents[line.item_id, line.variant] * line.quantity for line in order.lines)
        assert order.revenue == Decimal(total) / 100, order


def test_an_order_of_nothing_is_among_them(traffic: Traffic) -> None:
    free = [order for order in read_purchases(traffic.folder / PURCHASES) if not order.lines]
    assert [order.revenue for order in free] == [0]
