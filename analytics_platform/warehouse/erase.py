"""Erases a person: from the lake, the landing folder and every table, so that what is built again is without them.

A batch that names the person is replaced in the lake by one without, and taken out of the tables as if withdrawn; the
one that replaces it is loaded in its place. `ops.set_aside` keeps that, not whom, an erasure concerned.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import polars_schema
from analytics_platform.contracts.ops import BatchDays
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.lake import Batch, Lake, open_encoded
from analytics_platform.settings import Settings
from analytics_platform.sources.person import IDENTIFYING, Person
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Source
from analytics_platform.transform import build_order
from analytics_platform.warehouse.erasure import (
    DRAFT_S,
    NOTES,
    Erasure,
    edits_of,
    end,
    landed_files,
    may_name,
    old_drafts,
    rows_naming,
    save,
    sha256_of,
)
from analytics_platform.warehouse.ledger import LEDGER_TABLES, find_batch, set_aside, touched_days, unloaded_batches
from analytics_platform.warehouse.load import load_new_batches
from analytics_platform.warehouse.session import NOTHING, Session
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import days_of_versions
from analytics_platform.warehouse.withdraw import take_out, with_duplicates

# What refers to others comes first: PostgreSQL deletes no customer that facts point to.
_BUILT = [CONTRACTS[name] for name in reversed(build_order()) if CONTRACTS[name].table.write != "batches"]
_POINTED_TO = {name for each in CONTRACTS.values() for name in each.table.foreign_keys.values()}


def erase(
    session: Session,
    settings: Settings,
    lake: Lake,
    erasure: Erasure,
    decided_by: str,
    say: Callable[[str], None],
) -> list[str]:
    """Erase a person; the days to build are in the ledger then. Run again it goes on where it was killed.

    Returns sentences on batches that failed; `say` gets one on what does not keep the erasure from its end.
    """
    session.ensure(*LEDGER_TABLES)
    save(lake, erasure)
    faults = list[str]()
    for source in SOURCES.values():
        for batch in lake.batches(source.name):
            edits, fault = edits_of(source, batch, erasure)
            faults += [fault] if fault else []
            named = erasure.hide_in(batch)
            if edits:
                lake.put_edited(named, partial(source.format.edit, batch, source.contract, edits))
            elif named != batch:
                lake.describe(named)
        faults += _replace(source, session, settings, lake, erasure, decided_by)
        if not settings.landing_url:  # copies would be made anew: the search names the objects that are to be deleted
            _erase_from_files(source, settings, lake, erasure)
    _erase_from_tables(session, erasure, decided_by)
    session.forget_history()
    copies = (settings.data_dir / "dashboard").glob("*.duckdb")  # the dashboard makes new ones when it is opened
    lake.drop_drafts(DRAFT_S)
    for path in (*copies, *old_drafts(settings)):
        path.unlink(missing_ok=True)
    for path in (each for each in settings.quarantine_dir.glob("*.csv") if may_name(each, erasure)):
        with suppress(OSError):  # the search for what is left names it
            path.unlink(missing_ok=True)
    inputs = {name for (name,) in session.rows("SELECT DISTINCT input FROM ops.pipeline_logs")}
    write_spreadsheets(session, settings.quarantine_dir, say, inputs)
    return faults


def drop(session: Session, settings: Settings, lake: Lake, erasure: Erasure, decided_by: str) -> list[str]:
    """Go on without an erasure that has not ended; batches of which it wrote new ones are replaced first.

    Else the lake has two batches with the same records. Returns what is to be said of batches that failed.
    """
    session.ensure(*LEDGER_TABLES)
    faults = [x for each in SOURCES.values() for x in _replace(each, session, settings, lake, erasure, decided_by)]
    end(lake)
    return faults


def _replace(
    source: Source, session: Session, settings: Settings, lake: Lake, erasure: Erasure, decided_by: str
) -> list[str]:
    """Put the new batches of a source in place of those that they replace, in the lake and in the tables."""
    batches = lake.batches(source.name)
    stored = {each.content_sha256: each for each in batches}
    pairs = [(stored[content], new) for new in batches for content in new.replaces if content in stored]
    replaced = {old.batch_id: (old, new) for old, new in pairs}
    if replaced:
        _take_back(source, session, lake, replaced, erasure, decided_by)
        for batch, edited in replaced.values():
            lake.forget(batch, edited)
    ids = {each.batch_id for each in lake.batches(source.name) if each.replaces or each.batch_id in erasure.again}
    for _ in load_new_batches(source, session, settings, lake, "erase", ids) if ids else ():
        pass
    return [str(each) for each in unloaded_batches(session) if each.batch_id in ids]


def _erase_from_files(source: Source, settings: Settings, lake: Lake, erasure: Erasure) -> None:
    """Replace files of the landing folder by those without the person; who may read them stays.

    They are known by their content as the batches are, so nothing new waits.
    """
    folder, register = settings.landing_dir / source.name, lake.register(source.name)
    for file in landed_files(source, settings):
        path = Path(str(file.path))
        register.content_of(path)
        edits, _ = edits_of(source, file, erasure)
        target = folder / erasure.hide(str(path.relative_to(folder)))
        if edits:
            draft = path.with_name(f".{source.name}.{os.getpid()}.part")
            try:
                with open_encoded(draft, path.name) as out:
                    source.format.edit(file, source.contract, edits, out)
                shutil.copymode(path, draft)
                draft.rename(path)
            finally:
                draft.unlink(missing_ok=True)
        if target != path:
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
            with suppress(OSError):  # other files are in its folder
                os.removedirs(path.parent)
        if (edits or target != path) and lake.batch_with(source.name, content := sha256_of(target)):
            register.remember(target, content, is_settled=True)
    register.save()


def _take_back(
    source: Source,
    session: Session,
    lake: Lake,
    replaced: Mapping[str, tuple[Batch, Batch]],
    erasure: Erasure,
    decided_by: str,
) -> None:
    """Take batches out of the tables in one transaction, and say in the ledger by what they are replaced."""
    contract = source.contract
    session.ensure(contract)
    ids = {"batches": [*replaced]}
    sql = "SELECT batch_id FROM ops.pipeline_logs WHERE list_contains($batches, batch_id)"
    loaded = [batch for (batch,) in session.rows(sql, ids)]
    again = {
        each.batch_id: each
        for batch in loaded
        for each in with_duplicates(session, contract, find_batch(session, batch))
    }
    again = {batch: card for batch, card in again.items() if batch not in replaced}
    for card in again.values():
        if lake.batch_with(card.source, card.content_sha256) is None:
            raise lake.missing(card.source, card.content_sha256)
    erasure.again |= again.keys()
    save(lake, erasure)
    versions = days_of_versions(session, loaded)
    with session.transaction(contract.table.name):
        days = {*touched_days(session, loaded), *versions}
        take_out(session, contract, [*loaded, *again])
        for batch, edited in replaced.values():
            values = {"old": batch.batch_id, "new": edited.batch_id}
            for table in ("ops.set_aside", "ops.batch_days", "ops.acceptances"):
                session.execute(f"UPDATE {table} SET batch_id = $new WHERE batch_id = $old", values)
            session.execute(
                "UPDATE ops.set_aside SET content_sha256 = $content WHERE batch_id = $new",
                {"new": edited.batch_id, "content": edited.content_sha256},
            )
        _note(session, erasure, days, decided_by)


def _note(session: Session, erasure: Erasure, days: Collection[dt.date], decided_by: str) -> None:
    """Note in the ledger that there was an erasure, and the days that it changes; not whom it concerned."""
    card = erasure.card
    set_aside(session, card, "erased", "a person was erased", decided_by)
    new = sorted({*days} - {*touched_days(session, [card.batch_id])})
    rows = [{"batch_id": card.batch_id, "source": "", "event_date": day, **asdict(NOTHING)} for day in new]
    session.insert(BatchDays.table.name, pl.DataFrame(rows, polars_schema(BatchDays)))


def _erase_from_tables(session: Session, erasure: Erasure, decided_by: str) -> None:
    """Delete the person's rows from all tables that are built, in one transaction, and note the days to build.

    Other clients that a table has the person with, such as one that a user signed in on, are built again without.
    """
    person, existing, days = erasure.person, session.tables(), set[dt.date]()
    tables = {each.table.name: each for each in _BUILT if each.table.name in existing}
    linked = tables.keys() & {"star.dim_customer", "cleaned.customer_history", "cleaned.shop_clients"}
    clients = {row["client_id"] for name in linked for row in rows_naming(session, tables[name], person)}
    keys = Person(client=person.client | {each for each in clients if each}).exact["key"]
    noted = "SELECT count(*) FROM ops.set_aside WHERE batch_id = $batch AND state = 'erased'"
    with session.transaction():
        is_new = not session.one(noted, {"batch": erasure.card.batch_id})[0]
        for contract in tables.values():
            if (found := _delete_rows(session, contract, person, keys)) is not None:
                days, is_new = days | found, True
        for contract, column in ((each, x) for each in LEDGER_TABLES for x in NOTES if x in each.columns):
            sql = f"UPDATE {contract.table.name} SET {column} = $new WHERE {column} = $old"
            for text in {row[column] or "" for row in rows_naming(session, contract, person)}:
                session.execute(sql, {"old": text, "new": erasure.hide(text)})
        if is_new:  # else the command, stopped before its proof, would build all these days each time it goes on
            _note(session, erasure, days, decided_by)


def drop_members(session: Session, person: Person) -> None:
    """Delete the members of dimensions that name the person, once the facts that pointed to them are built again."""
    existing = session.tables()
    for contract in (each for each in _BUILT if each.table.name in _POINTED_TO & existing):
        name, key = contract.table.name, quote(contract.table.key[0])
        texts: dict[str, set[str]] = {}
        for column, text in ((x, text) for row in rows_naming(session, contract, person) for x, text in row.items()):
            if text and person.is_in({column: text}):
                texts.setdefault(column, set()).add(text)
        if texts:
            named = " OR ".join(f"list_contains(${x}, CAST({quote(x)} AS VARCHAR))" for x in texts)
            pointing = [
                f"{key} NOT IN (SELECT {quote(column)} FROM {quote_table(facts.table.name)})"
                for facts in CONTRACTS.values()
                for column, dimension in facts.table.foreign_keys.items()
                if dimension == name and facts.table.name in existing
            ]
            condition = " AND ".join([f"({named})", *pointing])
            session.execute(
                f"DELETE FROM {quote_table(name)} WHERE {condition}", {x: sorted(y) for x, y in texts.items()}
            )


def _delete_rows(
    session: Session, contract: ContractType, person: Person, keys: Collection[str]
) -> set[dt.date] | None:
    """Delete the rows of a table with the person or one of the customer `keys`; return their days, None for no row."""
    name, day = contract.table.name, contract.table.partition
    values = {"customer_key": {*keys}} if "customer_key" in contract.columns else dict[str, set[str]]()
    for row in rows_naming(session, contract, person):
        for column, text in row.items():
            # Facts of others point to a product whose name has the person in it. Those on a page have its path too.
            is_erasable = column in (*IDENTIFYING, "path") or name not in _POINTED_TO
            if text and is_erasable and person.is_in({column: text}):
                values.setdefault(column, set()).add(text)
    if not values:
        return None
    where = " OR ".join(f"list_contains(${x}, CAST({quote(x)} AS VARCHAR))" for x in values)
    bound = {column: sorted(texts) for column, texts in values.items()}
    sql = f"SELECT DISTINCT {quote(str(day))} FROM {quote_table(name)} WHERE {where}"
    days = {found for (found,) in session.rows(sql, bound)} if day else set[dt.date]()
    if not session.one(f"SELECT count(*) FROM {quote_table(name)} WHERE {where}", bound)[0]:
        return None
    session.execute(f"DELETE FROM {quote_table(name)} WHERE {where}", bound)
    return days
