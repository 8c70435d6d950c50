"""Persons behind 5 M events of 1 M clients: seconds to note who was seen with whom, and to find the persons.

`python -m benchmarks.persons [--events 5000000] [--clients 1000000]`. A separate process does it, and tells its peak
memory. One event in twenty names a user drawn by chance, so that many persons are chains of clients.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform.lookups.tables import LOOKUPS
from analytics_platform.warehouse import DuckDBSession
from analytics_platform.warehouse.persons import write_links
from analytics_platform.warehouse.session import BatchCard
from analytics_platform_tests.kit import open_platform
from benchmarks.report import Figure, report

LIMIT_S, LIMIT_GB = 60, 2
DAY = dt.date(2026, 3, 1)

EVENTS = """
INSERT INTO cleaned.ecommerce_events BY NAME
SELECT
    printf('%032d', n) AS event_id,
    'client-' || n % $clients AS client_id,
    'u' || CASE WHEN hash(n) % 20 = 0 THEN hash(n + 1) ELSE hash(n % $clients) END % ($clients * 6 // 10) AS user_id,
    'view_item' AS event_name,
    CAST($day AS TIMESTAMPTZ) + to_milliseconds(n % 86400000) AS event_at,
    $day AS event_date,
    CAST($day AS TIMESTAMPTZ) AS arrived_at,
    'batch' AS batch_id,
    n + 1 AS position
FROM range($events) AS numbers (n)
"""


def find_persons(folder: Path, events: int, clients: int) -> dict[str, float]:
    """Return the seconds of both steps, the peak memory in GB since the process began, and the number of persons."""
    source, members = CONTRACTS["cleaned.ecommerce_events"], CONTRACTS["cleaned.person_members"]
    platform = open_platform(folder)
    with platform.session() as session:
        assert isinstance(session, DuckDBSession)
        session.ensure(*CONTRACTS.values())
        session.execute(EVENTS, {"events": events, "clients": clients, "day": DAY})
        card = BatchCard("batch", "ecommerce_events", "generated", "", dt.datetime.now(dt.UTC), "benchmark")
        started = time.perf_counter()
        write_links(session, source, [card], (DAY, DAY))
        noted = time.perf_counter()
        found = LOOKUPS[members.table.name](session, None, platform.settings)
        breaches = session.publish(members, found, None).breaches
        ended = time.perf_counter()
        assert not breaches, breaches
        ((persons,),) = session.rows("SELECT count(DISTINCT person_id) FROM cleaned.person_members")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return {"note": noted - started, "find": ended - noted, "peak": peak, "persons": int(str(persons))}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5_000_000)
    parser.add_argument("--clients", type=int, default=1_000_000)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.here:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(find_persons(Path(folder), options.events, options.clients)))
        return
    sizes = ["--events", str(options.events), "--clients", str(options.clients)]
    command = [sys.executable, "-m", "benchmarks.persons", "--here", *sizes]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(ran.stdout.splitlines()[-1])
    seconds = found["note"] + found["find"]
    report(
        "persons",
        [
            Figure("note which ids were seen together", options.events, found["note"]),
            Figure("find and publish the persons", options.events, found["find"]),
        ],
        {f"seconds (under {LIMIT_S})": seconds, f"peak memory in GB (under {LIMIT_GB})": found["peak"]},
        {"clients": options.clients, "persons": found["persons"]},
    )
    if seconds > LIMIT_S or found["peak"] > LIMIT_GB:
        raise SystemExit("Slower or larger than allowed.")


if __name__ == "__main__":
    main()
