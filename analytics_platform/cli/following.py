"""What the command `follow` prints: a line that changes on a terminal, elsewhere a line of JSON for what happens."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Mapping

from rich.console import Console

from analytics_platform.errors import printable
from analytics_platform.orchestration.build import build_definitions
from analytics_platform.orchestration.follow.lane import follow as run
from analytics_platform.settings import load_settings


def follow() -> None:
    """Follow until a signal stops it."""
    settings, console = load_settings(), Console()
    if not sys.stdout.isatty():

        def say(said: Mapping[str, object]) -> None:
            print(json.dumps({"at": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"), **said}), flush=True)

        return run(build_definitions(settings), settings, say, lambda state: None)

    with console.status("The lane starts.") as line:

        def tell(said: Mapping[str, object]) -> None:
            if said["event"] != "batch":
                console.print(printable(str(said.get("reason", said.get("state")))), markup=False)

        run(build_definitions(settings), settings, tell, lambda state: line.update(printable(str(state))))
