"""The truth agrees with a plain reading of the files."""

from collections import Counter, defaultdict
from datetime import datetime
from decimal import Decimal

from analytics_platform.demo.simulator.tally import find_sessions
from analytics_platform.demo.simulator.truth import Totals, Truth
from analytics_platform_tests.demo.simulator.conftest import Traffic
from analytics_platform_tests.demo.simulator.reader import Row

ORDER_NAMES = ("checkout_completed", "purchase")


def count_days(times: list[datetime]) -> dict[str, int]:
    return dict(Counter(at.date().isoformat() for at in times))


def earliest_orders(events: list[Row]) -> list[Row]:
    orders: dict[tuple[str | None, str], Row] = {}
    for row in sorted(events, key=lambda row: row.at):
        if row.values["event_name"] in ORDER_NAMES:
            orders.setdefault((row.values["client_id"], row.data["transaction_id"]), row)
    return list(orders.values())


def revenue_of(row: Row) -> Decimal:
    return Decimal(str(row.data["revenue"] if "revenue" in row.data else row.data["value"]))


def test_truth_adds_up(traffic: Traffic) -> None:
    for totals in (traffic.truth, traffic.truth.before_late):
        assert totals.rows_read == totals.rows_accepted + totals.rows_duplicate + totals.rows_quarantined
        assert sum(totals.quarantined_by_reason.values()) == totals.rows_quarantined
        assert sum(totals.events_by_day.values()) == totals.rows_accepted
        assert sum(totals.sessions_by_day.values()) == totals.sessions
        assert sum(totals.orders_by_day.values()) == totals.orders
        assert sum(map(Decimal, totals.revenue_by_day.values())) == Decimal(totals.revenue)


def test_rows_and_reasons_are_those_in_the_files(traffic: Traffic) -> None:
    reasons = Counter(row.reason for row in traffic.rows)
    accepted = reasons.pop("")
    assert reasons == traffic.truth.quarantined_by_reason
    assert traffic.truth.rows_read == len(traffic.rows)
    assert traffic.truth.rows_accepted == len(traffic.events)
    assert traffic.truth.rows_duplicate == accepted - len(traffic.events) > 0
    assert traffic.truth.files == len(traffic.files)


def test_events_and_clients_are_those_in_the_files(traffic: Traffic) -> None:
    assert traffic.truth.events_by_day == count_days([row.at for row in traffic.events])
    assert traffic.truth.clients == len({row.values["client_id"] for row in traffic.events})


def test_orders_are_those_in_the_files(traffic: Traffic) -> None:
    orders = earliest_orders(traffic.events)
    assert traffic.truth.orders == len(orders)
    assert traffic.truth.orders_by_day == count_days([row.at for row in orders])
    assert Decimal(traffic.truth.revenue) == sum(map(revenue_of, orders))


def test_sessions_are_those_of_the_files(traffic: Traffic) -> None:
    times: defaultdict[str | None, list[int]] = defaultdict(list)
    for row in traffic.events:
        times[row.values["client_id"]].append(round(row.at.timestamp() * 1000))
    sessions = [session for each in times.values() for session in find_sessions(each)]
    assert traffic.truth.sessions == len(sessions)
    assert traffic.truth.bounces == sum(session.events == 1 for session in sessions)


def test_before_late_leaves_the_late_files_out(traffic: Traffic) -> None:
    rows = [row for rows in traffic.on_time.values() for row in rows]
    assert traffic.truth.before_late.files == len(traffic.on_time)
    assert traffic.truth.before_late.rows_read == len(rows)
    assert traffic.truth.before_late.rows_accepted == len({row.identity for row in rows if not row.reason})


def test_no_two_events_of_a_client_share_an_instant(traffic: Traffic) -> None:
    instants = Counter((row.values["client_id"], row.at) for row in traffic.events)
    assert max(instants.values()) == 1


def test_truth_survives_json(traffic: Traffic) -> None:
    text = (traffic.folder / "truth.json").read_text(encoding="utf-8")
    assert Truth.from_json(text) == traffic.truth
    assert Truth.from_json(text).to_json() == text
    assert isinstance(Truth.from_json(text).before_late, Totals)
