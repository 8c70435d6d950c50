"""Mistakes in the command that starts a run, found before the run does, so that they end in one sentence."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from analytics_platform.errors import UserError
from analytics_platform.settings import Settings, SettingsError
from analytics_platform.warehouse import Warehouse, WarehouseError

MATERIALIZE = ["asset", "materialize"]
RANGE_SEPARATOR = "..."


class StartError(UserError):
    """The command cannot be carried out as given; the message is one sentence."""


def starts_run(arguments: Sequence[str]) -> bool:
    """Whether this is the command line of `dagster asset materialize`."""
    return list(arguments[1:3]) == MATERIALIZE


def check_start(arguments: Sequence[str], settings: Settings, warehouse: Warehouse) -> None:
    """Look at the command line of `dagster asset materialize`; any other command is let through.

    Raises `StartError` for days that are no partitions and for a warehouse that another process writes to.
    """
    if not starts_run(arguments):
        return
    for option, value in zip(arguments, [*arguments[1:], ""], strict=True):
        name, _, attached = option.partition("=")
        if name in ("--partition", "--partition-range"):
            check_days(attached or value, settings)
    if warehouse.exists():
        try:
            with warehouse.session(read_only=True):
                pass
        except WarehouseError as error:
            raise StartError(str(error)) from error


def check_days(text: str, settings: Settings) -> None:
    """Raise `StartError` unless `text` is a day or a range `A...B` of days that are partitions."""
    first, last = settings.partition_start, dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    days = [_day(part, text) for part in text.split(RANGE_SEPARATOR)]
    for day in days:
        if not first <= day <= last:
            raise StartError(f"There is no partition {day}: days run from {first} (PARTITION_START) to {last}.")
    if days != sorted(days) or len(days) > 2:
        raise StartError(f"The range {text} is not of the form FIRST{RANGE_SEPARATOR}LAST with FIRST not after LAST.")


def _day(part: str, text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(part)
    except ValueError as error:
        raise StartError(
            f"'{part}' in --partition-range {text} is not a day: write YYYY-MM-DD...YYYY-MM-DD."
        ) from error


STOPPING = (SettingsError, StartError)
"""Errors that end the start with their sentence."""
