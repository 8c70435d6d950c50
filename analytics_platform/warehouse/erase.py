"""Erases a person: from the lake, the landing folder and every table, so that what is built again is without them.

A batch that names the person is replaced in the lake by one without, and taken out of the tables as if withdrawn; the
one that replaces it is loaded in its place. What is known of an erasure that has not ended is in the lake's
`_erasing.json`: killed anywhere, the same command goes on. `ops.set_aside` keeps that, not whom, an erasure concerned.
"""

from __future__ import annotations

import codecs
import datetime as dt
import hashlib
import json
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
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
from analytics_platform.lake import Batch, FolderLake, LakeError, batch_id_of, open_encoded
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

DRAFT_S = 3600
"""Seconds after which a draft is one that nobody writes any more."""

# What refers to others comes first: PostgreSQL deletes no customer that facts point to.
_BUILT = [CONTRACTS[name] for name in reversed(build_order()) if CONTRACTS[name].table.write != "batches"]
_POINTED_TO = {name for each in CONTRACTS.values() for name in each.table.foreign_keys.values()}
_NOTES = ("input", "drift", "reason")
"""Columns of the ledger with names of files, or with what people wrote."""

_KINDS = ("client", "user", "email", "customer")
_AGAIN = "run the same command again"


@dataclass(frozen=True, slots=True)
class Place:
    """A place that was searched, how much of it, and how many records, names, rows or files there name the person.

    `faults` say why not all of it could be searched, `remedies` what to do if the person is there after an erasure.
    """

    name: str
    searched: str
    found: int = 0
    faults: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()


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

    def hide(self, text: str) -> str:
        """Write pseudonyms for the person's identifiers in a name."""
        return self.person.hide(text, self.key.encode())


def unfinished(lake: FolderLake) -> Erasure | None:
    """Read what is known of an erasure that has not ended, if there is one. Raises `LakeError` for a damaged file."""
    path = lake.root / STATE
    if not path.exists():
        return None
    try:
        known = json.loads(path.read_text("utf-8"))
        return Erasure(Person(*(frozenset(known[kind]) for kind in _KINDS)), known["key"], set(known["again"]))
    except (ValueError, TypeError, KeyError) as error:
        words = "delete it, and erase the person again by every identifier that you know"
        raise LakeError(f"{path} is damaged: {words}.") from error


def save(lake: FolderLake, erasure: Erasure) -> None:
    """Write what is known of an erasure, to go on with it after a kill."""
    make_folder(lake.root)
    texts = {kind: sorted(texts) for kind, texts in erasure.person.texts.items()}
    write_durably(lake.root / STATE, json.dumps({**texts, "key": erasure.key, "again": sorted(erasure.again)}))


def open_erasure(lake: FolderLake, person: Person) -> Erasure:
    """Return the erasure of a person, with that which has not ended, if there is one.

    The other identifiers that users of the API and customers of the shop have with those that are given are added. A
    client alone adds none: several people may use a device. Batches that cannot be read are named by `search`.
    """
    erasure, profiles = unfinished(lake) or Erasure(Person()), set[Person]()
    for source in (each for each in SOURCES.values() if "email" in each.contract.columns):
        for batch in lake.batches(source.name):
            with suppress(UserError, FileRejectedError, ValueError):
                profiles.update(find_profiles(source, batch))
    erasure.person = complete(person | erasure.person, profiles)
    return erasure


def end(lake: FolderLake) -> None:
    """Forget whom the erasure concerned: after a search that found nothing left."""
    for path in lake.root.glob(f"{Path(STATE).stem}.*"):  # with drafts of it that a kill left
        path.unlink(missing_ok=True)


def drop(session: Session, settings: Settings, lake: FolderLake, erasure: Erasure, decided_by: str) -> list[str]:
    """Go on without an erasure that has not ended; batches of which it wrote new ones are replaced first.

    Else the lake has two batches with the same records. Returns what is to be said of batches that failed.
    """
    session.ensure(*LEDGER_TABLES)
    faults = [x for each in SOURCES.values() for x in _replace(each, session, settings, lake, erasure, decided_by)]
    end(lake)
    return faults


def search(session: Session, settings: Settings, lake: FolderLake, erasure: Erasure) -> Iterator[Place]:
    """Look for the person in every place; yields each with what was found."""
    for source in SOURCES.values():
        remedy = f"`analytics-platform withdraw {{0.batch_id}} --reason '…'`, delete {{0.path}} and {_AGAIN}"
        yield _search_batches(f"lake: {source.name}", source, lake.batches(source.name), erasure, "batches", remedy)
        if landed := [*_landed(source, settings)]:
            remedy = f"delete {{0.path}} and {_AGAIN}"
            yield _search_batches(f"landing folder: {source.name}", source, landed, erasure, "files", remedy)
    existing = session.tables()
    for contract in (each for each in CONTRACTS.values() if each.table.name in existing):
        name, rows = contract.table.name, sum(1 for _ in _rows_of(session, contract, erasure.person))
        how = f"build the warehouse again from the lake (docs/operate.md, Back up and rebuild) and {_AGAIN}"
        remedy = f"{name} still has {rows:,} rows of the person: {how}."
        yield Place(name, f"{session.count(name):,} rows", rows, (), (remedy,) if rows else ())
    for name, folder in {"quarantine files": settings.quarantine_dir, "reports": settings.reports_dir}.items():
        files = [path for path in folder.rglob("*") if path.suffix in (".csv", ".md", ".html")]
        named = _that_name(files, erasure)
        remedies = tuple(f"{path} names the person: delete it and {_AGAIN}." for path in named)
        yield Place(name, f"{len(files):,} files", len(named), (), remedies)
    drafts = _leftovers(settings, lake)
    yield Place("files that killed runs left", "", len(drafts), (), tuple(f"Delete {path}." for path in drafts))


def _search_batches(
    name: str, source: Source, batches: Collection[Batch], erasure: Erasure, what: str, remedy: str
) -> Place:
    found, faults, remedies = 0, list[str](), list[str]()
    for batch in batches:
        edits, fault = _edits(source, batch, erasure)
        faults += [fault] if fault else []
        if count := len(edits) + (erasure.hide(batch.name) != batch.name):
            found += count
            remedies.append(f"{batch.path} ({batch.name}) still names the person: {remedy.format(batch)}.")
    return Place(name, f"{len(batches):,} {what}", found, tuple(faults), tuple(remedies))


def _edits(source: Source, batch: Batch, erasure: Erasure) -> tuple[dict[int, Edit], str]:
    """Find what is to be edited in a batch; or say why it cannot be read."""
    if not batch.fault and not batch.path.exists():  # the rows that were loaded from it are in tables that are searched
        return {}, ""
    try:
        return find_edits(source, batch, erasure.person, erasure.key.encode()), ""
    except FileRejectedError as error:  # none of it was ever read, so none of it is in a table
        if batch.fault:
            return {}, ""
        with batch.open() as stream:
            content = stream.read()
        encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8"
        is_named = erasure.person.is_mentioned(content.decode(encoding, "replace"))
        return {}, f"{batch.path} names the person and cannot be read ({error}): delete it." if is_named else ""
    except Session.FAULTS as error:
        fault = explain_fault(error)
        return {}, f"{batch.path} cannot be searched for the person ({fault}): put it back whole, or delete it."


def _landed(source: Source, settings: Settings) -> Iterator[Batch]:
    """Yield the files of the landing folder as batches. A file stays there after it was copied into the lake."""
    for name, path in look_into(source, settings).files if source.format.suffixes else ():
        status, sha256 = path.stat(), _sha256(path)
        at = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        yield Batch(batch_id_of(source.name, sha256), source.name, name, sha256, path, at, status.st_size)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _that_name(files: Iterable[Path], erasure: Erasure) -> list[Path]:
    """Return the files that name the person in their name or text."""
    return [
        path
        for path in files
        if erasure.hide(path.name) != path.name or erasure.person.is_mentioned(path.read_text("utf-8", "replace"))
    ]


def _leftovers(settings: Settings, lake: FolderLake) -> list[Path]:
    """Return drafts that runs left when they were killed; those younger than an hour may be of one that goes on."""
    drafts = [*lake.root.glob("*/.incoming-*"), *settings.quarantine_dir.glob(".*.part")]
    return [path for path in drafts if path.exists() and time.time() - path.stat().st_mtime > DRAFT_S]


def _rows_of(session: Session, contract: ContractType, person: Person) -> Iterator[Mapping[str, str | None]]:
    """Yield the rows of a table that name the person: text by column, of those that are searched."""
    types = column_types(contract)
    columns = {x: f"CAST({quote(x)} AS VARCHAR)" for x, kind in types.items() if kind == "VARCHAR" or x in IDENTIFYING}
    notes = [name for name in _NOTES if name in columns and contract in LEDGER_TABLES]
    conditions = [f"regexp_matches({text}, $may)" for name, text in columns.items() if types[name] == "VARCHAR"]
    values: dict[str, object] = {"may": person.may} if conditions else {}
    for name, text in columns.items():
        if known := person.exact.get(kind := IDENTIFYING.get(name, "")):
            conditions.append(f"list_contains(${kind}, {text})")
            values[kind] = known
        if kind == "order":
            starts = {f"order_{number}": f"{client}/" for number, client in enumerate(person.exact["client"])}
            conditions += [f"starts_with({text}, ${start})" for start in starts]
            values |= starts
    if not conditions:
        return
    sql = (
        f"SELECT {', '.join(columns.values())} FROM {quote_table(contract.table.name)} WHERE {' OR '.join(conditions)}"
    )
    for row in (row for rows in session.stream(sql, values) for row in rows):
        record = dict(zip(columns, row, strict=True))
        if person.is_in(record) or any(person.hide(record[name] or "") != (record[name] or "") for name in notes):
            yield record


def erase(session: Session, settings: Settings, lake: FolderLake, erasure: Erasure, decided_by: str) -> list[str]:
    """Erase a person; the days to build are in the ledger then. Run again it goes on where it was killed.

    Returns what is to be said of batches that failed.
    """
    session.ensure(*LEDGER_TABLES)
    save(lake, erasure)
    faults = list[str]()
    for source in SOURCES.values():
        for batch in lake.batches(source.name):
            edits, fault = _edits(source, batch, erasure)
            faults += [fault] if fault else []
            named = replace(batch, name=erasure.hide(batch.name))
            if edits:
                lake.put_edited(named, partial(source.format.edit, batch, source.contract, edits))
            elif named != batch:
                lake.describe(named)
        faults += _replace(source, session, settings, lake, erasure, decided_by)
        _erase_from_files(source, settings, lake, erasure)
    _erase_from_tables(session, erasure, decided_by)
    copies = (settings.data_dir / "dashboard").glob("*.duckdb")  # the dashboard makes new ones when it is opened
    for path in (*copies, *_leftovers(settings, lake), *_that_name(settings.quarantine_dir.glob("*.csv"), erasure)):
        path.unlink(missing_ok=True)
    inputs = {name for (name,) in session.rows("SELECT DISTINCT input FROM ops.pipeline_logs")}
    write_spreadsheets(session, settings.quarantine_dir, inputs)
    return faults


def _replace(
    source: Source, session: Session, settings: Settings, lake: FolderLake, erasure: Erasure, decided_by: str
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


def _erase_from_files(source: Source, settings: Settings, lake: FolderLake, erasure: Erasure) -> None:
    """Replace files of the landing folder by those without the person; who may read them stays.

    They are known by their content as the batches are, so nothing new waits.
    """
    folder, register = settings.landing_dir / source.name, lake.register(source.name)
    for file in _landed(source, settings):
        register.content_of(file.path)
        edits, _ = _edits(source, file, erasure)
        target = folder / erasure.hide(str(file.path.relative_to(folder)))
        if edits:
            draft = file.path.with_name(f".{source.name}.{os.getpid()}.part")
            try:
                with open_encoded(draft, file.path.name) as out:
                    source.format.edit(file, source.contract, edits, out)
                shutil.copymode(file.path, draft)
                draft.rename(file.path)
            finally:
                draft.unlink(missing_ok=True)
        if target != file.path:
            target.parent.mkdir(parents=True, exist_ok=True)
            file.path.rename(target)
            with suppress(OSError):  # other files are in its folder
                os.removedirs(file.path.parent)
        if (edits or target != file.path) and lake.batch_with(source.name, content := _sha256(target)):
            register.remember(target, content, is_settled=True)
    register.save()


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


def _erase_from_tables(session: Session, erasure: Erasure, decided_by: str) -> None:
    """Delete the person's rows from all tables that are built, in one transaction, and note the days to build.

    Other clients that a table has the person with, such as one that a user signed in on, are built again without.
    """
    person, existing, days = erasure.person, session.tables(), set[dt.date]()
    tables = {each.table.name: each for each in _BUILT if each.table.name in existing}
    linked = tables.keys() & {"star.dim_customer", "cleaned.customer_history", "cleaned.shop_clients"}
    clients = {row["client_id"] for name in linked for row in _rows_of(session, tables[name], person)}
    keys = Person(client=person.client | {each for each in clients if each}).exact["key"]
    with session.transaction():
        for contract in tables.values():
            days |= _delete_rows(session, contract, person, keys)
        for contract, column in ((each, x) for each in LEDGER_TABLES for x in _NOTES if x in each.columns):
            sql = f"UPDATE {contract.table.name} SET {column} = $new WHERE {column} = $old"
            for text in {row[column] or "" for row in _rows_of(session, contract, person)}:
                session.execute(sql, {"old": text, "new": erasure.hide(text)})
        _note(session, erasure, days, decided_by)


def _delete_rows(session: Session, contract: ContractType, person: Person, keys: Collection[str]) -> set[dt.date]:
    """Delete the rows of a table with the person or one of the customer `keys`; return their days."""
    name, day = contract.table.name, contract.table.partition
    values = {"customer_key": {*keys}} if "customer_key" in contract.columns else dict[str, set[str]]()
    for row in _rows_of(session, contract, person):
        for column, text in row.items():
            # Facts of others point to a product whose name has the person in it.
            if text and (column in IDENTIFYING or name not in _POINTED_TO) and person.is_in({column: text}):
                values.setdefault(column, set()).add(text)
    if not values:
        return set()
    where = " OR ".join(f"list_contains(${x}, CAST({quote(x)} AS VARCHAR))" for x in values)
    bound = {column: sorted(texts) for column, texts in values.items()}
    sql = f"SELECT DISTINCT {quote(str(day))} FROM {quote_table(name)} WHERE {where}"
    days = {found for (found,) in session.rows(sql, bound)} if day else set[dt.date]()
    session.execute(f"DELETE FROM {quote_table(name)} WHERE {where}", bound)
    return days
