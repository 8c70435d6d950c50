"""The commands. `EPILOG` says what exit codes mean. Each imports what it needs: `--help` answers at once."""

from __future__ import annotations

import datetime as dt
import os
import re
import sys
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Annotated

import typer

from analytics_platform.cli.batches import app as batches
from analytics_platform.errors import UserError, count, printable
from analytics_platform.shop.cli import app as shop

LOOK, OPERATE, TRY, SETUP = "Look", "Operate", "Try it", "Set up"
"""The groups of commands in `--help`."""

HELP = """Raw behaviour data in, tables people trust out.

Settings are environment variables: see docs/settings.md. Tables are built in the Dagster UI (make ui), or with:

analytics-platform materialize
"""

EPILOG = """Exit codes: 0 success. 1 something was found wrong: a run that failed, a check of monitor that fails, a demo
that differs from the truth. 2 the command could not be carried out: a wrong setting or argument, a warehouse in use, an
unknown batch, a queue that cannot be reached; the reason is one sentence on standard error. 130 it was stopped by
Ctrl-C, 143 by SIGTERM.
"""


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]

app = typer.Typer(
    name="analytics-platform",
    help=HELP,
    epilog=EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(batches, rich_help_panel=OPERATE)
app.add_typer(shop, name="shop", rich_help_panel=OPERATE)


@app.callback(invoke_without_command=True)
def _every_command(show: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show:
        print(f"analytics-platform {version('analytics-platform')}")
        raise typer.Exit


@app.command(rich_help_panel=TRY)
def simulate(
    days: Annotated[int, typer.Option(min=1, help="Days of traffic.")] = 14,
    visitors: Annotated[int, typer.Option(min=1, help="Visitors a day, about.")] = 500,
    seed: Annotated[int, typer.Option(help="The same seed gives the same files.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("data/simulated"),
    start: Annotated[dt.datetime | None, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC).")] = None,
) -> None:
    """Write realistic traffic of all sources, and truth.json that says what is in it."""
    from analytics_platform.demo.simulator import simulate as write

    truth = write(days, visitors, seed, out, start.date() if start else None)
    records = sum(rows for (_, name), rows in truth.total.items() if name == "rows_read")
    print(f"{count(records, 'record')} in {out}; the truth about them is in {out / 'truth.json'}")


@app.command(rich_help_panel=OPERATE)
def materialize(
    days: Annotated[
        str | None,
        typer.Option(
            help="Days (UTC) to load and build: FIRST...LAST, one day, or all. Default: those of what is not built."
        ),
    ] = None,
    select: Annotated[
        str,
        typer.Option(help="Assets to load and build, in Dagster's selection syntax: marts/funnel_daily, group:raw."),
    ] = "*",
    debug: Annotated[bool, typer.Option("--debug", help="Print every event instead of a line per step.")] = False,
) -> None:
    """Load what arrived and build the tables of its days. The history of runs is in DATA_DIR/dagster, for the UI.

    Prints a line per step that did something. If steps fail, the reasons are printed once more at the end.
    """
    from analytics_platform.orchestration.build import build_definitions
    from analytics_platform.orchestration.launch import materialize as run
    from analytics_platform.settings import load_settings

    settings = load_settings()
    raise typer.Exit(0 if run(build_definitions(settings), settings, select, days, debug) else 1)


@app.command(rich_help_panel=OPERATE)
def erase(
    client: Annotated[list[str] | None, typer.Option(help="A browser or device of the person (client_id).")] = None,
    user: Annotated[list[str] | None, typer.Option(help="A signed-in user (user_id).")] = None,
    email: Annotated[list[str] | None, typer.Option(help="An e-mail address, in any case.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only search, and count what would be removed.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Go on without an erasure that has not ended.")] = False,
) -> None:
    """Erase a person from lake, landing folder, quarantine, tables, reports and dashboard, and prove it by a search.

    Each option may be given several times. Orders stay in all sums, without the person. Interrupted, run it again; it
    needs no options then. Exits 1 if something is left, and names the place.
    """
    from analytics_platform.cli.erasing import drop_erasure, erase_person

    given = {"client": client or (), "user": user or (), "email": email or ()}
    if drop and (dry_run or any(given.values())):
        raise typer.BadParameter("give it alone", param_hint="--drop")
    raise typer.Exit(0 if (drop_erasure() if drop else erase_person(given, dry_run)) else 1)


@app.command(rich_help_panel=OPERATE)
def drain(
    max_messages: Annotated[
        int | None, typer.Option(min=1, help="Messages after which to stop; default: DRAIN_MAX_MESSAGES.")
    ] = None,
    max_seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Seconds after which to stop; default: DRAIN_MAX_SECONDS.")
    ] = None,
) -> None:
    """Move the messages of the queue SQS_QUEUE_URL into the lake. `materialize` does that too, and loads them."""
    from analytics_platform.lake import check_writable, open_lake
    from analytics_platform.progress import progress_bar
    from analytics_platform.settings import load_settings
    from analytics_platform.sources.arrivals.queue import drain_queue
    from analytics_platform.sources.registry import SOURCES

    settings = load_settings()
    open_lake(settings).exists()  # raises for a bucket that cannot be used
    check_writable(settings)  # before a message is received that could not be stored
    limits = (max_messages or settings.drain_max_messages, max_seconds or settings.drain_max_seconds)
    with progress_bar("queue") as report:
        drained = drain_queue(SOURCES["ecommerce_events"], settings, open_lake(settings), *limits, report)
    print(
        f"{count(drained.received, 'message')} received, {drained.stored:,} stored "
        f"in {count(drained.batches, 'batch')}, {drained.deleted:,} deleted from the queue"
    )


@app.command(rich_help_panel=OPERATE)
def follow() -> None:
    """Load and build what arrives in queue and landing folder, seconds later, until SIGTERM or Ctrl-C.

    Shows messages per second, lag and the last batch on a terminal; elsewhere prints a line of JSON per batch.
    """
    from analytics_platform.cli.following import follow as run

    run()


@app.command(rich_help_panel=OPERATE)
def redrive(
    max_messages: Annotated[int | None, typer.Option(min=1, help="Send at most this many; all without it.")] = None,
) -> None:
    """Send rejected messages from the dead-letter queue SQS_DLQ_URL back to the queue, after a correction."""
    from analytics_platform.settings import load_settings
    from analytics_platform.sources.arrivals.queue import redrive_messages

    print(f"{count(redrive_messages(load_settings(), max_messages), 'message')} sent back to the queue")


@app.command(rich_help_panel=LOOK)
def status(json: JsonOption = False) -> None:
    """Show sources, latest batches, data-health checks and what to do next. Exits 0 whatever it finds."""
    from analytics_platform.cli.status import read_status
    from analytics_platform.cli.terminal import print_status, to_json
    from analytics_platform.settings import load_settings

    found = read_status(load_settings(), dt.datetime.now(dt.UTC))
    print(to_json(found)) if json else print_status(found)


@app.command(rich_help_panel=LOOK)
def monitor(json: JsonOption = False) -> None:
    """Check the data that is stored: freshness, error rate, revenue, volume and more. Exits 1 if a check fails."""
    from analytics_platform.cli.terminal import print_observations, to_json
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse import open_warehouse
    from analytics_platform.warehouse.watchdog import watch

    settings = load_settings()
    warehouse = open_warehouse(settings)
    with warehouse.session(read_only=True) as session:
        observations = list(watch(session, settings, dt.datetime.now(dt.UTC)))
    if json:
        print(to_json(observations))
    else:
        print_observations(observations, warehouse.name)
    raise typer.Exit(0 if all(observation.passed for observation in observations) else 1)


@app.command(rich_help_panel=LOOK)
def explain(
    table: Annotated[str, typer.Argument(help="A mart (customer_rfm), or a table with its schema (star.fact_orders).")],
    days: Annotated[
        str | None, typer.Option(help="Days (UTC): FIRST...LAST, or one day. Default: the last one with events.")
    ] = None,
) -> None:
    """Run the model of a table without storing anything, and print its plan (EXPLAIN ANALYZE)."""
    from analytics_platform.settings import load_settings
    from analytics_platform.transform import DayRange, find_model
    from analytics_platform.warehouse import open_warehouse
    from analytics_platform.warehouse.explain import explain_model

    settings, model, wanted = load_settings(), find_model(table), DayRange.parse(days) if days else None
    warehouse = open_warehouse(settings)
    with warehouse.session(read_only=True) as session:
        explained = explain_model(session, model, wanted, settings.model_values)
    print(f"{model.name}, {explained.days or 'the whole table'}, in {warehouse.name}")
    for step in explained.plans:
        print(f"\n{step.step}\n{step.text}")


@app.command(rich_help_panel=LOOK)
def tables(
    as_of: Annotated[
        str | None, typer.Option(help="Version of each table, or time: 12, 2026-03-01, 2026-03-01T08:00:00Z.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """List Delta tables with version, time and rows, as they are or were. Needs WAREHOUSE_URL=lake:///… or lake+s3://…

    `analytics_platform.read("star.fact_orders", as_of="2026-03-01")` reads the rows of that state.
    """
    from analytics_platform.cli.terminal import print_states, to_json
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse.open import open_delta, parse_as_of

    warehouse = open_delta(load_settings(), parse_as_of(as_of) if as_of else None)
    states = list(warehouse.states())
    print(to_json(states)) if json else print_states(states, warehouse.name)


@app.command(rich_help_panel=SETUP)
def reference(out: Annotated[Path, typer.Option(help="Folder to write the pages into.")] = Path("docs")) -> None:
    """Write the data dictionary and the table of settings from the code, in a checkout also .env.example."""
    from analytics_platform.cli.reference import write_reference

    for path in write_reference(out):
        print(path)


@app.command(rich_help_panel=SETUP)
def copy(
    source: Annotated[
        str | None,
        typer.Option("--from", help="Warehouse to copy, an address like WAREHOUSE_URL; default: COPY_FROM."),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--to", help="Warehouse to fill; tables that it has must be equal. Default: COPY_TO."),
    ] = None,
) -> None:
    """Copy all tables into another warehouse and compare every value. After an interruption it continues.

    Give an address with a password as COPY_FROM or COPY_TO in the environment: arguments are visible to other users.
    """
    from analytics_platform.progress import progress_bar
    from analytics_platform.settings import load_settings
    from analytics_platform.warehouse import WarehouseError, open_warehouse
    from analytics_platform.warehouse.copy import copy_warehouse

    options = {"copy_from": source, "copy_to": target}
    settings = load_settings(**{name: address for name, address in options.items() if address is not None})
    for name, address in {"--from or COPY_FROM": settings.copy_from, "--to or COPY_TO": settings.copy_to}.items():
        if not address.get_secret_value():
            raise typer.BadParameter("give the address of a warehouse", param_hint=name)
    given, filled = (
        open_warehouse(settings.model_copy(update={"warehouse_url": address}))
        for address in (settings.copy_from, settings.copy_to)
    )
    if Path(given.name).resolve() == Path(filled.name).resolve():  # two spellings of one file
        raise WarehouseError("--from and --to are the same warehouse.")
    if not given.exists():
        raise WarehouseError(f"There is no warehouse at {given.name}: check --from.")
    with given.session() as there, filled.session() as here, progress_bar("copy") as report:
        copied = copy_warehouse(there, here, report)
    rows = count(sum(copied.values()), "row")
    print(f"{count(len(copied), 'table')} with {rows} in {filled.name}, every value compared.")


@app.command(rich_help_panel=TRY)
def demo(
    days: Annotated[int, typer.Option(min=2, help="Days of traffic.")] = 14,
    visitors: Annotated[int, typer.Option(min=1, help="Visitors a day, about.")] = 300,
    seed: Annotated[int, typer.Option(help="The same seed gives the same traffic.")] = 1,
) -> None:
    """Simulate a shop, run the platform on it in an empty DATA_DIR, and compare the tables with the truth."""
    from analytics_platform.demo.run import run_demo

    raise typer.Exit(0 if run_demo(days, visitors, seed) else 1)


@app.command(rich_help_panel=LOOK)
def dashboard(
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8501,
    address: Annotated[str, typer.Option(help="Address to serve on; there is no login.")] = "127.0.0.1",
) -> None:
    """Serve the dashboard. Its page of the pipeline needs Dagster at DAGSTER_URL, all others only the tables."""
    import socket

    from analytics_platform.reports.dashboard.serve import command
    from analytics_platform.settings import SettingsError, load_settings

    load_settings()  # a wrong setting fails here, not on every page
    try:
        served = command(address, port)
        socket.create_server((address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET).close()
    except ModuleNotFoundError as error:
        raise SettingsError(str(error)) from error
    except OSError as error:
        raise SettingsError(f"--address {address} --port {port} cannot be used: {error.strerror}.") from error
    os.execv(served[0], served)


def run_command() -> None:
    """Carry out what the arguments say. A user's mistake ends in one sentence and exit code 2."""
    os.umask(0o077)  # what is written, also by DuckDB and by processes started from here, holds personal data
    try:
        for before, argument in pairwise(sys.argv):
            if re.fullmatch(r"(--[\w-]+=)?\s*", argument):  # `--out ""` is the folder one is in, `--address ""` any
                raise UserError(f"The argument {argument!r} after {before!r} is empty: give a value, or leave it out.")
        app()
    except UserError as error:
        reason = str(error)
    except OSError as error:
        if error.filename is None:
            raise
        reason = f"{error.filename} cannot be used ({error.strerror}): choose another path, or change its rights."
    else:
        return
    print(f"analytics-platform: {printable(reason)}", file=sys.stderr)
    sys.exit(2)
