"""Counting what is written, to become the truth."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal

from analytics_platform.simulator.event import DAY, Event, Purchase, day_of
from analytics_platform.simulator.sessions import Session, find_sessions
from analytics_platform.simulator.truth import Totals

CENT = Decimal("0.01")


class Tally:
    """A running count of files, rows and distinct events; `total` may be asked at any time."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._files = 0
        self._duplicates = 0
        self._reasons: Counter[str] = Counter()
        self._events_by_day: Counter[int] = Counter()
        self._times: dict[str, array[int]] = {}
        self._bots: set[str] = set()
        self._orders: dict[tuple[str, str], tuple[int, int]] = {}

    def add_file(self, events: Iterable[Event], duplicates: int, reasons: Mapping[str, int]) -> None:
        """Count one file: its new events, its rows that were sent before, its broken rows by reason."""
        self._files += 1
        self._duplicates += duplicates
        self._reasons.update(reasons)
        times = self._times
        for event in events:
            client_id, at = event.client_id, event.at
            if client_id not in times:
                times[client_id] = array("q")
            times[client_id].append(at)
            self._events_by_day[at // DAY] += 1
            if event.is_bot:
                self._bots.add(client_id)
            if event.purchase is not None:
                self._add_order(client_id, at, event.purchase)

    def _add_order(self, client_id: str, at: int, purchase: Purchase) -> None:
        """Keep the earliest event of each order (DESIGN section 4: client and transaction id)."""
        key = (client_id, purchase.transaction_id)
        self._orders[key] = min(self._orders.get(key, (at, purchase.cents)), (at, purchase.cents))

    def total(self) -> Totals:
        """Everything counted so far."""
        accepted = self._events_by_day.total()
        quarantined = self._reasons.total()
        orders, cents = self._count_orders()
        starts: Counter[int] = Counter()
        bounces = bot_sessions = bot_events = 0
        for client_id, times in self._times.items():
            sessions = find_sessions(times)
            starts.update(session.starts_at // DAY for session in sessions)
            bounces += count_bounces(sessions)
            if client_id in self._bots:
                bot_sessions += len(sessions)
                bot_events += len(times)
        return Totals(
            files=self._files,
            rows_read=accepted + self._duplicates + quarantined,
            rows_accepted=accepted,
            rows_duplicate=self._duplicates,
            rows_quarantined=quarantined,
            quarantined_by_reason=dict(sorted(self._reasons.items())),
            events_by_day=name_days(self._events_by_day),
            clients=len(self._times),
            sessions=starts.total(),
            sessions_by_day=name_days(starts),
            bounces=bounces,
            orders=orders.total(),
            orders_by_day=name_days(orders),
            revenue=format_money(cents.total()),
            revenue_by_day={day: format_money(amount) for day, amount in name_days(cents).items()},
            bot_events=bot_events,
            bot_sessions=bot_sessions,
        )

    def _count_orders(self) -> tuple[Counter[int], Counter[int]]:
        """Orders and their cents by day number."""
        orders: Counter[int] = Counter()
        cents: Counter[int] = Counter()
        for at, amount in self._orders.values():
            orders[at // DAY] += 1
            cents[at // DAY] += amount
        return orders, cents


def count_bounces(sessions: Iterable[Session]) -> int:
    """Sessions of a single event."""
    return sum(session.events == 1 for session in sessions)


def name_days(counts: Mapping[int, int]) -> dict[str, int]:
    """Counts by ISO date, in order, from counts by day number since 1970."""
    return {day_of(number * DAY).isoformat(): counts[number] for number in sorted(counts)}


def format_money(cents: int) -> str:
    """An amount as text with four decimals, the scale of `DECIMAL(18,4)`."""
    return f"{cents * CENT:.4f}"
