"""How far the fast lane lags behind a queue under load, and how soon it has caught up after a burst.

`python -m benchmarks.throughput [--warehouse duckdb|postgres] [--rate 50] [--seconds 300] [--burst 20000]` starts a
local queue and `follow` as `benchmarks.latency` does, sends `rate` messages a second, and then the burst at once. The
lag is the age of the oldest message that is not in star.fact_events yet.
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from analytics_platform.orchestration.follow.batch import OVERLAP
from analytics_platform.warehouse import WarehouseError, open_warehouse
from benchmarks.latency import LONGEST_S, RunningLane, body, running_lane, seconds_until_arrived
from benchmarks.report import Figure, report

VISIBLE = """
SELECT count(*) FROM star.fact_events WHERE user_id LIKE 'reader %' AND event_at >= CAST($since AS TIMESTAMPTZ)
"""
AT_ONCE = 1_000
LISTS = 50


class Sender:
    """Sends messages, and knows when each was sent."""

    def __init__(self, running: RunningLane) -> None:
        """Begin with message 2: the first has started the lane."""
        self.running, self.sent, self.since = running, list[float](), dt.datetime.now(dt.UTC).replace(microsecond=0)

    def send(self, messages: int) -> None:
        """Send this number of messages at once."""
        numbers = range(len(self.sent) + 2, len(self.sent) + 2 + messages)
        self.running.queue.send([body(number, number % LISTS) for number in numbers])
        self.sent += [time.perf_counter()] * messages

    def keep_sending(self, rate: int, seconds: int) -> None:
        """Send at this rate."""
        started = time.perf_counter()
        for second in range(seconds):
            self.send(rate)
            time.sleep(max(0.0, started + second + 1 - time.perf_counter()))

    def lags_until_visible(self, sending: threading.Thread | None = None) -> Iterator[float]:
        """Yield the lag until all messages are visible and no more are sent.

        A DuckDB file cannot be read while the lane writes it. So the lag is that at the end of the time in which the
        oldest message may have been missing.
        """
        visible = 0
        while visible < len(self.sent) or (sending is not None and sending.is_alive()):
            with suppress(WarehouseError), open_warehouse(self.running.settings).session(read_only=True) as session:
                now, oldest = time.perf_counter(), next(iter(self.sent[visible : visible + 1]), None)
                (visible,) = session.one(VISIBLE, {"since": str(self.since)})
                lag = now - oldest if oldest is not None else 0.0
                if lag > LONGEST_S:
                    raise SystemExit(f"a message did not arrive in {LONGEST_S:g} s")
                yield lag
            time.sleep(0.5)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--warehouse", choices=("duckdb", "postgres"), default="duckdb")
    parser.add_argument("--rate", type=int, default=50)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--burst", type=int, default=20_000)
    parser.add_argument("--events", type=int, default=10_000)
    options = parser.parse_args()
    with running_lane("follow", options.warehouse, options.events) as running:
        seconds_until_arrived(running.queue, 1, running.settings)
        if options.warehouse == "postgres":  # what another process loaded so recently is built with each message
            time.sleep(OVERLAP.total_seconds())
        sender = Sender(running)
        thread = threading.Thread(target=sender.keep_sending, args=(options.rate, options.seconds))
        thread.start()
        lags, steady = list(sender.lags_until_visible(thread)), len(sender.sent)
        started = time.perf_counter()
        for _ in range(0, options.burst, AT_ONCE):
            sender.send(AT_ONCE)
        handed_in = time.perf_counter() - started
        list(sender.lags_until_visible())
        caught_up = time.perf_counter() - started
    figures = [
        Figure(f"lag at {options.rate} messages/s, median", steady, statistics.median(lags)),
        Figure(f"lag at {options.rate} messages/s, longest", steady, max(lags)),
        Figure(f"{options.burst:,} messages at once, handed in", options.burst, handed_in),
        Figure(f"{options.burst:,} messages at once, all visible", options.burst, caught_up),
    ]
    facts = {name: getattr(options, name) for name in ("warehouse", "rate", "seconds", "burst", "events")}
    report("throughput", figures, {}, facts)


if __name__ == "__main__":
    main()
