"""The demo: the main job on simulated traffic, then every figure compared with the simulator's truth.

It runs `analytics-platform materialize` on the files of each day, and again when late files have arrived. The UI shows
the same folder (`make ui`).
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from bson import json_util
from pymongo import MongoClient
from rich.console import Console
from rich.table import Table

from analytics_platform.demo.comparison import Compared, compare
from analytics_platform.demo.servers.start import start_servers
from analytics_platform.demo.simulated_shop import Sales, buy, reconcile, stock_shop
from analytics_platform.demo.simulator import PURCHASES, read_documents, read_messages, read_purchases, simulate
from analytics_platform.demo.simulator.tally import Figures
from analytics_platform.settings import Settings, load_settings, masked
from analytics_platform.shop.service import open_shop
from analytics_platform.sources.arrivals.queue import queue_of
from analytics_platform.warehouse import open_warehouse

MARK = ".demo"
"""A file that marks a folder as made by the demo, which may empty it."""


def run_demo(days: int, visitors: int, seed: int) -> bool:
    """Simulate, load, compare, twice; True if every figure of the tables is that of the truth."""
    console = Console()
    settings = load_settings()
    folder = settings.data_dir
    _empty(folder)
    first = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=days)
    last = first + dt.timedelta(days=days)  # today: users arrive on the day they are fetched
    console.print(f"Simulating {days} days of traffic, from {first}, into {folder / 'simulated'} …")
    truth = simulate(days, visitors, seed, folder / "simulated", first)
    users = folder / "users.json"
    shutil.copy(folder / "simulated" / "users.json", users)
    with start_servers(users) as servers:
        home = str((folder / "dagster").resolve())
        own = {"DAGSTER_HOME": home, "DATA_DIR": str(folder.resolve()), "PARTITION_START": first.isoformat()}
        (folder / "demo.env").write_text("".join(f"{name}={value}\n" for name, value in own.items()), "utf-8")
        os.environ |= {**own, **servers}
        settings, ok = load_settings(), True
        sales = _buy(console, settings, folder, truth.total)
        for title, part, figures in (
            ("what arrives day by day", "simulated", truth.before_late),
            ("what arrives late", "simulated/late", truth.total),
        ):
            _deliver(folder / part, users, settings)
            console.print(f"\nMaterializing all assets for {first}...{last} with {title} …")
            # A separate process, as people start it; it prints its steps and the cause of a failure.
            command = [sys.executable, "-m", "analytics_platform.cli.main", "materialize"]
            if subprocess.run([*command, "--days", f"{first}...{last}"]).returncode:
                return False
            table = Table("", "", "truth", "tables", "", title=f"After {title}")
            with open_warehouse(settings).session(read_only=True) as session:
                ok &= _show(console, table, compare(session, figures))
        ok &= _is_complete(console, settings, folder, sales)
    console.print(f"\nTables      {masked(settings.warehouse_url)}")
    console.print(f"Findings    {settings.reports_dir / 'findings.html'}")
    console.print(f"Quarantine  {settings.quarantine_dir}")
    console.print("Look        make ui, make dashboard")
    return ok


def _empty(folder: Path) -> None:
    """Empty the folder, or exit if the demo did not make it."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            sys.exit(f"analytics-platform: DATA_DIR={folder} has other data; give the demo another folder.")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()


def _deliver(part: Path, users: Path, settings: Settings) -> None:
    """Deliver one part of the simulation: files, messages, documents, and the API's answer."""
    shutil.copy(part / "users.json", users)
    shutil.copytree(part / "clickstream", settings.landing_dir / "clickstream", dirs_exist_ok=True)
    queue = queue_of(settings)
    for path in sorted((part / "messages").glob("*.jsonl")):
        queue.send(read_messages(path))
    documents = sorted((part / "web_logs").glob("*.jsonl"))
    if part.name == "late":  # days late, as an export: reading the collection looks back minutes
        for path in documents:
            target = settings.landing_dir / "web_logs" / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        return
    with MongoClient[dict[str, object]](settings.mongodb_uri.get_secret_value()) as client:
        collection = client[settings.mongodb_database][settings.mongodb_collection]
        for path in documents:
            collection.insert_many(map(json_util.loads, read_documents(path)))


def _show(console: Console, table: Table, figures: Iterable[Compared]) -> bool:
    """Show figures, each with whether its values are equal; True if all are."""
    same = True
    for figure in figures:
        table.add_row(*figure.labels, *map(_short, figure.values), "[green]=[/]" if figure.equal else "[red]≠[/]")
        same &= figure.equal
    console.print(table)
    return same


def _buy(console: Console, settings: Settings, folder: Path, truth: Figures) -> Sales:
    """Place every order of the simulation through the shop's own service."""
    started = time.perf_counter()
    with open_shop(settings) as shop:
        shop.carts.prepare()
        stock_shop(shop)
        sales = buy(shop, read_purchases(folder / "simulated" / PURCHASES), truth["users", "people"])
    took = time.perf_counter() - started
    console.print(f"{sales.orders:,} orders placed with the shop's service in {took:.1f} s", highlight=False)
    return sales


def _is_complete(console: Console, settings: Settings, folder: Path, sales: Sales) -> bool:
    """Print what is left in the queue, and sales according to the shop, the warehouse and the truth.

    True if nothing is left and sales are equal.
    """
    depth = queue_of(settings).depth()
    left = depth.visible + depth.in_flight + depth.delayed
    console.print(f"The queue is {'empty' if not left else f'not empty: {left} messages are left'}.")
    table = Table("", "shop", "warehouse", "truth", "", title="What was sold")
    with open_warehouse(settings).session(read_only=True) as session:
        orders = read_purchases(folder / "simulated" / PURCHASES)
        same = _show(console, table, reconcile(session, sales, orders))
    for error in sales.rejected:
        console.print(f"[red]Rejected:[/] {error}")
    return same and not left


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return f"{len(value)} values"
    return f"{value:,}" if isinstance(value, int) else str(value)
