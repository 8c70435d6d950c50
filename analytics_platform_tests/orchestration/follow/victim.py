"""A process that runs the job `follow` on what is in the lake and is killed: `victim.py FOLDER PLACE`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from analytics_platform.orchestration.follow import batch
from analytics_platform.orchestration.follow.lane import PROCESS
from analytics_platform.warehouse.build import Built, build_ranges
from analytics_platform_tests.kit import open_platform
from analytics_platform_tests.orchestration.follow.lane_kit import Followed

PLACES = ("between load and build", "in publish", "between build and record")


def die(*_: Any) -> Any:
    """Leave no chance to clean up."""
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at_facts(session: Any, name: str, *arguments: Any) -> Iterator[Built]:
    return die() if name == "star.fact_events" else build_ranges(session, name, *arguments)


def main() -> None:
    """Run until killed."""
    folder, place = Path(sys.argv[1]), sys.argv[2]
    name, put = {
        PLACES[0]: ("_build", die),
        PLACES[1]: ("build_ranges", _die_at_facts),
        PLACES[2]: ("_record", die),
    }[place]
    setattr(batch, name, put)
    with dg.DagsterInstance.get() as instance:
        Followed(open_platform(folder), instance, tags={PROCESS: str(os.getpid())}).run()


if __name__ == "__main__":
    main()
