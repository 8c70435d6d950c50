"""Erases a person: from the lake, the landing folder and every table, so that what is built again is without them.

A batch that names the person is replaced in the lake by one without, and taken out of the tables as if withdrawn; the
one that replaces it is loaded in its place. What is known of an erasure that has not ended is in the lake's
`_erasing.json`: killed anywhere, the same command goes on. `ops.set_aside` keeps that, not whom, an erasure concerned.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import secrets
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import polars as pl

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types, polars_schema
from analytics_platform.contracts.ops import BatchDays
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.errors import UserError
from analytics_platform.gate import FileRejectedError
from analytics_platform.lake import Batch, FolderLake, batch_id_of, open_encoded
from analytics_platform.lake.durable import make_folder, write_durably
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import look_into
from analytics_platform.sources.person import IDENTIFYING, Person, complete, find_edits, find_profiles
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Edit, Source
from analytics_platform.transform import build_order
from analytics_platform.warehouse.ledger import LEDGER_TABLES, find_batch, set_aside, touched_days, unloaded_batches
from analytics_platform.warehouse.load import explain_fault, load_new_batches
from analytics_platform.warehouse.session import NOTHING, BatchCard, Session
from analytics_platform.warehouse.spreadsheet import write_spreadsheets
from analytics_platform.warehouse.touched import days_of_versions
from analytics_platform.warehouse.withdraw import take_out, with_duplicates

STATE = "_erasing.json"
"""The file of the lake with what is known of an erasure that has not ended."""

# What refers to others comes first: PostgreSQL deletes no customer that facts point to.
_BUILT = [CONTRACTS[name] for name in reversed(build_order()) if CONTRACTS[name].table.write != "batches"]
DRAFT_S = 3600
"""Seconds after which a draft is one that nobody writes any more."""

_LOADED = [each for each in CONTRACTS.values() if each.table.write == "batches"]
_KINDS = ("client", "user", "email", "customer")


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was searched, how much of it, and how many records, rows or files there name the person.

    `fault` says why not all of it could be searched.
    """

    name: str
    searched: str
    found: int = 0
    fault: str = ""


@dataclass(slots=True)
class Erasure:
    """An erasure that has not ended: whom, the key of pseudonyms, and batches that are to be loaded again."""

    person: Person
    key: str = field(default_factory=lambda: secrets.token_hex(16))
    again: set[str] = field(default_factory=set)

    @property
    def card(self) -> BatchCard:
        """Give what the ledger says of it: a hash of its key, which nobody has when it has ended."""
        number = hashlib.sha256(self.key.encode()).hexdigest()[:16]
        return BatchCard(number, "", "erasure", "", dt.datetime.now(dt.UTC), "erase")


def unfinished(lake: FolderLake) -> Erasure | None:
    """Read what is known of an erasure that has not ended, if there is one."""
    path = lake.root / STATE
    if not path.exists():
        return None
    known = json.loads(path.read_text("utf-8"))
    person = Person(*(frozenset(known[kind]) for kind in _KINDS))
    return Erasure(person, known["key"], set(known["again"]))


def save(lake: FolderLake, erasure: Erasure) -> None:
    """Write what is known of an erasure, to go on with it after a kill."""
    make_folder(lake.root)
    texts = {kind: sorted(texts) for kind, texts in erasure.person.texts.items()}
    write_durably(lake.root / STATE, json.dumps({**texts, "key": erasure.key, "again": sorted(erasure.again)}))


def open_erasure(lake: FolderLake, person: Person) -> Erasure:
    """Return the erasure of a person, with that which has not ended, if there is one."""
    erasure = unfinished(lake) or Erasure(Person())
    erasure.person = resolve(lake, person | erasure.person)
    return erasure


def end(lake: FolderLake) -> None:
    """Forget whom the erasure concerned: after a search that found nothing left."""
    for path in lake.root.glob(f"{Path(STATE).stem}.*"):  # with drafts of it that a kill left
        path.unlink(missing_ok=True)


def resolve(lake: FolderLake, person: Person) -> Person:
    """Add the other identifiers that users of the API and customers of the shop have with those that are given.

    A client alone adds none: several people may use a device. Batches that cannot be read are named by `search`.
    """
    profiles = set[Person]()
    for source in (each for each in SOURCES.values() if "email" in each.contract.columns):
        for batch in lake.batches(source.name):
            with suppress(UserError, FileRejectedError, ValueError):
                profiles.update(find_profiles(source, batch))
    return complete(person, profiles)


def search(session: Session, settings: Settings, lake: FolderLake, erasure: Erasure) -> Iterator[Place]:
    """Look for the person in every place; yields each with what was found."""
    for source in SOURCES.values():
        yield _search_batches(f"lake: {source.name}", source, lake.batches(source.name), erasure)
        if landed := [*_landed(source, settings)]:
            yield _search_batches(f"landing folder: {source.name}", source, landed, erasure, "files")
    yield from _search_tables(session, erasure.person, CONTRACTS.values())
    folders = {"quarantine files": settings.quarantine_dir, "reports": settings.reports_dir}
    for name, folder in folders.items():
        files = [path for path in folder.rglob("*") if path.suffix in (".csv", ".md", ".html")]
        found = sum(erasure.person.is_mentioned(path.read_text("utf-8", "replace")) for path in files)
        yield Place(name, f"{len(files):,} files", found)
    yield Place("files that killed runs left", "", len(_leftovers(settings, lake)))


def _search_tables(session: Session, person: Person, tables: Iterable[ContractType]) -> Iterator[Place]:
    existing = session.tables()
    for contract in tables:
        if (name := contract.table.name) in existing:
            rows = sum(1 for _ in _rows_of(session, contract, person))
            yield Place(name, f"{session.count(name):,} rows", rows)


def _search_batches(
    name: str, source: Source, batches: Collection[Batch], erasure: Erasure, what: str = "batches"
) -> Place:
    found, faults = 0, []
    for batch in batches:
        edits, fault = _edits(source, batch, erasure)
        found += len(edits)
        faults += [fault] if fault else []
    return Place(name, f"{len(batches):,} {what}", found, " ".join(faults))


def _edits(source: Source, batch: Batch, erasure: Erasure) -> tuple[dict[int, Edit], str]:
    """Find what is to be edited in a batch; or say why it cannot be read."""
    try:
        return find_edits(source, batch, erasure.person, erasure.key.encode()), ""
    except FileRejectedError as error:  # none of it was ever read, so none of it is in a table
        is_named = not batch.fault and _is_named(batch, erasure.person)
        return {}, f"{batch.path.name} names the person and cannot be read ({error}): delete it." if is_named else ""
    except Session.FAULTS as error:
        return {}, f"Batch {batch.batch_id} ({batch.name}) cannot be searched: {explain_fault(error)}."


def _is_named(batch: Batch, person: Person) -> bool:
    with batch.open() as stream:
        return person.is_mentioned(stream.read().decode("utf-8", "replace"))


def _landed(source: Source, settings: Settings) -> Iterator[Batch]:
    """Yield the files of the landing folder as batches. A file stays there after it was copied into the lake."""
    for name, path in look_into(source, settings).files if source.format.suffixes else ():
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        status = path.stat()
        at = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        yield Batch(batch_id_of(source.name, sha256), source.name, name, sha256, path, at, status.st_size)


def _copies(settings: Settings) -> list[Path]:
    """Return the copies of tables that the dashboard reads; it makes new ones when it is opened."""
    return [*(settings.data_dir / "dashboard").glob("*.duckdb")]


def _leftovers(settings: Settings, lake: FolderLake) -> list[Path]:
    """Return drafts that runs left when they were killed; those younger than an hour may be of one that goes on."""
    drafts = [*lake.root.glob("*/.incoming-*"), *settings.quarantine_dir.glob(".*.part")]
    return [path for path in drafts if path.exists() and time.time() - path.stat().st_mtime > DRAFT_S]


def _rows_of(session: Session, contract: ContractType, person: Person) -> Iterator[Mapping[str, object]]:
    """Yield the rows of a table that name the person."""
    types = column_types(contract)
    columns = [name for name, kind in types.items() if kind == "VARCHAR" or name in IDENTIFYING]
    where, values = _where(columns, person)
    mentioned, texts = _mentions([name for name in columns if types[name] == "VARCHAR"], person)
    if not (where := " OR ".join(filter(None, (where, mentioned)))):
        return
    shown = ", ".join(f"CAST({quote(name)} AS VARCHAR)" for name in columns)  # documents too, as PostgreSQL has them
    sql = f"SELECT {shown} FROM {quote_table(contract.table.name)} WHERE {where}"
    for rows in session.stream(sql, values | texts):
        for row in rows:
            record = dict(zip(columns, row, strict=True))
            if person.is_in(record):
                yield record


def _where(columns: Iterable[str], person: Person, keys: Collection[str] = ()) -> tuple[str, dict[str, object]]:
    """Return a condition for rows with an identifier in a column, or one of the customer `keys`, and its values."""
    conditions, values = [], dict[str, object]()
    for name in columns:
        kind = IDENTIFYING.get(name, "")
        text = f"trim(CAST({quote(name)} AS VARCHAR))"
        known = [*person.exact.get(kind, ()), *(keys if kind == "key" else ())]
        if kind == "order":
            for number, client in enumerate(person.exact["client"]):
                conditions.append(f"starts_with({quote(name)}, $order_{number})")
                values[f"order_{number}"] = f"{client}/"
        elif known:
            conditions.append(f"list_contains(${kind}, {f'lower({text})' if kind == 'email' else text})")
            values[kind] = known
    return " OR ".join(conditions), values


def _mentions(columns: Iterable[str], person: Person) -> tuple[str, dict[str, object]]:
    """Return a condition for rows that may mention an identifier in a text, and its values."""
    texts = {f"text_{number}": text for number, text in enumerate(person.telling)}
    ids = [x for kind in ("client", "user", "customer") for x in person.exact[kind]]
    named = {f"id_{number}": text for number, text in enumerate(ids)}
    conditions = []
    for name in columns:
        plain = f"CAST({quote(name)} AS VARCHAR)"
        conditions += [f"strpos(lower({plain}), ${text}) > 0" for text in texts]
        conditions += [f"(strpos({plain}, 'id\"') > 0 AND strpos({plain}, ${text}) > 0)" for text in named]
    return " OR ".join(conditions), {**texts, **named}


def erase(
    session: Session, settings: Settings, lake: FolderLake, erasure: Erasure, decided_by: str
) -> tuple[list[Place], list[str]]:
    """Erase a person; the days to build are in the ledger then. Run again it goes on where it was killed.

    Returns what was removed where, and what is to be said of batches that failed.
    """
    session.ensure(*LEDGER_TABLES)
    save(lake, erasure)
    removed, faults = [*_search_tables(session, erasure.person, _LOADED)], list[str]()
    for source in SOURCES.values():
        place, failed = _erase_from_source(source, session, settings, lake, erasure, decided_by)
        removed += place
        faults += failed
    removed += _erase_from_tables(session, erasure, decided_by)
    inputs = {name for (name,) in session.rows("SELECT DISTINCT input FROM ops.pipeline_logs")}
    write_spreadsheets(session, settings.quarantine_dir, inputs)
    files = {"dashboard copies": _copies(settings), "files that killed runs left": _leftovers(settings, lake)}
    for name, paths in files.items():
        for path in paths:
            path.unlink(missing_ok=True)
        removed.append(Place(name, f"{len(paths):,} files", len(paths)))
    return removed, faults


def _erase_from_source(
    source: Source, session: Session, settings: Settings, lake: FolderLake, erasure: Erasure, decided_by: str
) -> tuple[list[Place], list[str]]:
    """Replace the batches of a source that name the person, in the lake and in the tables, and the files it came in."""
    replaced, faults, records, batches = dict[str, tuple[Batch, Batch]](), [], 0, lake.batches(source.name)
    for batch in batches:
        edits, fault = _edits(source, batch, erasure)
        faults += [fault] if fault else []
        if edits:
            records += len(edits)
            edited = lake.put_edited(batch, partial(source.format.edit, batch, source.contract, edits))
            replaced[batch.batch_id] = (batch, edited)
    if replaced:
        _take_back(source, session, lake, replaced, erasure, decided_by)
        for batch, edited in replaced.values():
            lake.forget(batch, edited)
    ids = {each.batch_id for each in lake.batches(source.name) if each.replaces or each.batch_id in erasure.again}
    for _ in load_new_batches(source, session, settings, lake, "erase", ids) if ids else ():
        pass
    faults += [str(each) for each in unloaded_batches(session) if each.batch_id in ids]
    places = [Place(f"lake: {source.name}", f"{len(batches):,} batches", records)]
    landed = [_erase_from_file(source, file, erasure) for file in _landed(source, settings)]
    if landed:
        places.append(Place(f"landing folder: {source.name}", f"{len(landed):,} files", sum(landed)))
    return places, faults


def _erase_from_file(source: Source, file: Batch, erasure: Erasure) -> int:
    """Replace a file of the landing folder by one without the person; it is read again, and known by its content."""
    edits, _ = _edits(source, file, erasure)
    if not edits:
        return 0
    draft = file.path.with_name(f".{file.path.name}.{os.getpid()}.part")
    try:
        with open_encoded(draft, file.path.name) as out:
            source.format.edit(file, source.contract, edits, out)
        draft.rename(file.path)
    finally:
        draft.unlink(missing_ok=True)
    return len(edits)


def _take_back(
    source: Source,
    session: Session,
    lake: FolderLake,
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


def _erase_from_tables(session: Session, erasure: Erasure, decided_by: str) -> list[Place]:
    """Delete the person's rows from all tables that are built, in one transaction, and note the days to build.

    Other clients that a table has the person with, such as one that a user signed in on, are built again without.
    """
    existing, removed = session.tables(), list[Place]()
    tables = {each.table.name: each for each in _BUILT if each.table.name in existing}
    clients, keys, days = {*erasure.person.client}, set[str](), set[dt.date]()
    for name in tables.keys() & {"star.dim_customer", "cleaned.customer_history", "cleaned.shop_clients"}:
        columns = [column for column in ("client_id", "customer_key") if column in tables[name].columns]
        where, values = _where(tables[name].columns, erasure.person)
        if not where:  # a table without e-mail addresses, and the person is known by one
            continue
        for client, *key in session.rows(f"SELECT {', '.join(columns)} FROM {quote_table(name)} WHERE {where}", values):
            clients.add(client)
            keys.update(map(str, key))
    if "sessionized.client_days" in tables:
        sql = "SELECT DISTINCT event_date FROM sessionized.client_days WHERE list_contains($clients, client_id)"
        days = {day for (day,) in session.rows(sql, {"clients": sorted(clients)})}
    with session.transaction():
        for name, contract in tables.items():
            where, values = _where(contract.columns, erasure.person, keys)
            if where:
                (rows,) = session.one(f"SELECT count(*) FROM {quote_table(name)} WHERE {where}", values)
                removed.append(Place(name, f"{session.count(name):,} rows", rows))
                session.execute(f"DELETE FROM {quote_table(name)} WHERE {where}", values)
        if days or any(place.found for place in removed):
            _note(session, erasure, days, decided_by)
    return removed
