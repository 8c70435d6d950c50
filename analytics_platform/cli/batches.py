"""The commands about batches: accept, withdraw, replay."""

from __future__ import annotations

import getpass
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from analytics_platform.errors import complain, count, printable

if TYPE_CHECKING:
    from analytics_platform.settings import Settings

app = typer.Typer()


def _words(reason: str) -> str:
    if not reason.strip():
        raise typer.BadParameter("give a reason in words", param_hint="--reason")
    from analytics_platform.settings import masked

    return masked(printable(" ".join(reason.split())))  # it is shown in terminals and alerts


BatchIds = Annotated[list[str], typer.Argument(help="Ids of batches, or how they begin; status lists the latest.")]


def _check_place(settings: Settings) -> None:
    """Raise `WarehouseError` where nothing was ever stored: a mistyped DATA_DIR would look like an empty platform."""
    from analytics_platform.lake import check_writable, open_lake
    from analytics_platform.warehouse import WarehouseError, open_warehouse

    if not (open_warehouse(settings).exists() or open_lake(settings).exists()):
        place = f"neither the warehouse {open_warehouse(settings).name} nor the lake {settings.lake_url}"
        raise WarehouseError(f"There is no platform in DATA_DIR={settings.data_dir}, {place}: correct DATA_DIR.")
    if not settings.is_on_postgres:
        check_writable(settings)


@app.command(rich_help_panel="Operate")
def accept(
    batches: BatchIds,
    reason: Annotated[
        str,
        typer.Option(callback=_words, help="Why, in your words; kept with your login name in ops.acceptances."),
    ],
) -> None:
    """Let runs go on although too many rows of batches were rejected (MAX_ERROR_RATE). They stay in quarantine."""
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse import open_warehouse
    from analytics_platform.warehouse.ledger import accept_batch, acceptances, find_batch
    from analytics_platform.warehouse.spreadsheet import write_spreadsheets
    from analytics_platform.warehouse.touched import days_not_built

    settings = load_settings()
    _check_place(settings)
    with open_warehouse(settings).session() as session:
        cards = dict.fromkeys(find_batch(session, batch) for batch in batches)
        before = {each.batch_id: each for each in acceptances(session)}
        for card in cards:
            if card.batch_id in before:
                print(f"Nothing to do: {before[card.batch_id]}")
                continue
            accept_batch(session, card.batch_id, reason, getpass.getuser())
            print(f"Batch {card.batch_id} ({printable(card.input)}) is accepted: {reason}")
        write_spreadsheets(session, settings.quarantine_dir, complain)  # who accepts rows wants to look at them
        if days := days_not_built(session, settings):
            print(f"Build the days that wait: analytics-platform materialize --days {days}")


@app.command(rich_help_panel="Operate")
def withdraw(
    batches: BatchIds,
    reason: Annotated[
        str,
        typer.Option(callback=_words, help="Why, in your words; kept with your login name in ops.set_aside."),
    ],
) -> None:
    """Take batches back out of the tables; `replay` loads them again. Exits 1 if another batch failed meanwhile."""
    from analytics_platform.lake import open_lake
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse import open_warehouse
    from analytics_platform.warehouse.ledger import find_batch
    from analytics_platform.warehouse.spreadsheet import write_spreadsheets
    from analytics_platform.warehouse.withdraw import withdraw_batch

    settings, failed = load_settings(), list[str]()
    _check_place(settings)
    lake = open_lake(settings)
    with open_warehouse(settings).session() as session:
        for card in dict.fromkeys([find_batch(session, batch, lake) for batch in batches]):
            done = withdraw_batch(session, settings, lake, card, reason, getpass.getuser())
            inputs = {card.input, *(each.input for each in done.again)}
            write_spreadsheets(session, settings.quarantine_dir, complain, inputs)
            print(f"Batch {card.batch_id} ({printable(card.input)}) is withdrawn: {reason}")
            for each in done.again:
                again = f"Batch {each.batch_id} ({each.input}), which may have duplicates of it, was loaded again."
                print(printable(again))
            if done.days:
                print(f"Build the days that change: analytics-platform materialize --days {done.days}")
            failed += done.failed
    for sentence in failed:
        complain(sentence)
    raise typer.Exit(1 if failed else 0)


@app.command(rich_help_panel="Operate")
def replay(
    batches: Annotated[
        list[str] | None, typer.Argument(help="Ids of batches, or how they begin; all that are loaded without.")
    ] = None,
) -> None:
    """Validate quarantined rows again after a contract changed, and move those that pass into their table.

    Batches that are named and not loaded, since they failed or were withdrawn, are loaded. Exits 1 if one fails.
    """
    from analytics_platform.lake import open_lake
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse import open_warehouse
    from analytics_platform.warehouse.ledger import find_batch
    from analytics_platform.warehouse.replay import replay as replay_batches
    from analytics_platform.warehouse.spreadsheet import write_spreadsheets
    from analytics_platform.warehouse.touched import days_to_build

    settings = load_settings()
    _check_place(settings)
    lake = open_lake(settings)
    with open_warehouse(settings).session() as session:
        only = {find_batch(session, batch, lake).batch_id for batch in batches or ()}
        replayed = list(replay_batches(session, settings, lake, only if batches else None))
        write_spreadsheets(session, settings.quarantine_dir, complain, {entry.input for entry in replayed})
        days = days_to_build(
            session, [entry.batch_id for entry in replayed if entry.moved or entry.withdrawal], settings
        )
    for entry in replayed:
        print(printable(str(entry)), file=sys.stderr if entry.problem else sys.stdout)
    done = [entry for entry in replayed if not entry.problem]
    if len(done) > 1:
        moved, left = sum(entry.moved for entry in done), sum(entry.loaded.rows_quarantined for entry in done)
        print(f"All {len(done)} batches: {count(moved, 'row')} moved, {left:,} still quarantined.")
    if days:
        print(f"Build the days that change: analytics-platform materialize --days {days}")
    elif not replayed:
        print("No quarantined rows.")
    raise typer.Exit(1 if any(entry.problem for entry in replayed) else 0)
