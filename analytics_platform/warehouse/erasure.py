"""An erasure: whom it concerns, what is known of it until it has ended, and the search of every place for the person.

What is known of an erasure that has not ended is in the lake's `_erasing.json`: killed anywhere, the same command goes
on.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import secrets
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.ddl import column_types
from analytics_platform.contracts.sql import quote, quote_table
from analytics_platform.errors import UserError, count
from analytics_platform.gate import FileRejectedError
from analytics_platform.lake import Batch, Lake, LakeError, batch_id_of, check_decodable
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.files import look_into
from analytics_platform.sources.formats import ENCODINGS
from analytics_platform.sources.person import IDENTIFYING, Person, complete, find_edits, find_profiles
from analytics_platform.sources.registry import SOURCES
from analytics_platform.sources.source import Edit, Source
from analytics_platform.transform.lookups.tables import decoded_addresses
from analytics_platform.warehouse.faults import explain_fault
from analytics_platform.warehouse.ledger import LEDGER_TABLES
from analytics_platform.warehouse.session import BatchCard, Session

STATE = "_erasing.json"
"""The file of the lake with what is known of an erasure that has not ended."""

DRAFT_S = 3600
"""Seconds after which a draft is one that nobody writes any more."""

NOTES = ("input", "drift", "reason")
"""Columns of the ledger with names of files, or with what people wrote."""

_PIECE_BYTES, _OVERLAP_BYTES = 4 << 20, 64 << 10
"""Bytes of a file without records that are searched at a time, and of those before that are searched again."""

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

    def hide_in(self, batch: Batch) -> Batch:
        """Hide the person in what the lake says of a batch."""
        gone = batch.withdrawal and replace(batch.withdrawal, reason=self.hide(batch.withdrawal.reason))
        return replace(batch, name=self.hide(batch.name), withdrawal=gone)

    def hide(self, text: str) -> str:
        """Write pseudonyms for the person's identifiers in a name."""
        return self.person.hide(text, self.key.encode())


def unfinished(lake: Lake) -> Erasure | None:
    """Read what is known of an erasure that has not ended, if there is one. Raises `LakeError` for a damaged file."""
    try:
        text = lake.read(STATE)
        if text is None:
            return None
        known = json.loads(text)
        return Erasure(Person(*(frozenset(known[kind]) for kind in _KINDS)), known["key"], set(known["again"]))
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        words = "delete it, and erase the person again by every identifier that you know"
        raise LakeError(f"{lake.root / STATE} is damaged: {words}.") from error


def save(lake: Lake, erasure: Erasure) -> None:
    """Write what is known of an erasure, to go on with it after a kill."""
    texts = {kind: sorted(texts) for kind, texts in erasure.person.texts.items()}
    lake.write(STATE, json.dumps({**texts, "key": erasure.key, "again": sorted(erasure.again)}))


def open_erasure(lake: Lake, person: Person) -> Erasure:
    """Return the erasure of a person, with that which has not ended, if there is one.

    The other identifiers that users of the API and customers of the shop have with those that are given are added. A
    client alone adds none: several people may use a device. Batches that cannot be read are named by `search`.
    """
    erasure, profiles = unfinished(lake) or Erasure(Person()), set[Person]()
    for source in (each for each in SOURCES.values() if "email" in each.contract.columns):
        for batch in lake.batches(source.name):
            try:
                profiles.update(find_profiles(source, batch))
            except (UserError, FileRejectedError, ValueError) as error:
                explain_fault(error)  # raises that of a lake that cannot be used: others would not be found either
    erasure.person = complete(person | erasure.person, profiles)
    return erasure


def end(lake: Lake) -> None:
    """Forget whom the erasure concerned: after a search that found nothing left."""
    lake.delete(STATE)


def search(session: Session, settings: Settings, lake: Lake, erasure: Erasure) -> Iterator[Place]:
    """Look for the person in every place; yields each with what was found."""
    for source in SOURCES.values():
        remedy = f"`analytics-platform withdraw {{0.batch_id}} --reason '…'`, delete {{0.path}} and {_AGAIN}"
        yield _search_batches(f"lake: {source.name}", source, lake.batches(source.name), erasure, "batch", remedy)
        if landed := [*landed_files(source, settings)]:
            file = (
                f"{settings.landing_url.rstrip('/')}/{source.name}/{{0.name}}" if settings.landing_url else "{0.path}"
            )
            remedy = f"delete {file} and {_AGAIN}"
            yield _search_batches(f"landing folder: {source.name}", source, landed, erasure, "file", remedy)
    existing = session.tables()
    for contract in (each for each in CONTRACTS.values() if each.table.name in existing):
        name, rows = contract.table.name, sum(1 for _ in rows_naming(session, contract, erasure.person))
        how = f"build the warehouse again from the lake (docs/operate.md, Back up and rebuild) and {_AGAIN}"
        remedy = f"{name} still has {count(rows, 'row')} of the person: {how}."
        yield Place(name, count(session.count(name), "row"), rows, (), (remedy,) if rows else ())
    for name, folder in {"quarantine files": settings.quarantine_dir, "reports": settings.reports_dir}.items():
        files = [path for path in folder.rglob("*") if path.suffix in (".csv", ".md", ".html")]
        named = [path for path in files if may_name(path, erasure)]
        remedies = tuple(f"{path} names the person, or cannot be read: delete it and {_AGAIN}." for path in named)
        yield Place(name, count(len(files), "file"), len(named), (), remedies)
    drafts = [*lake.old_drafts(DRAFT_S), *old_drafts(settings)]
    remedies = tuple(f"Delete {path}." for path in drafts)
    yield Place("files of runs that were killed over an hour ago", "", len(drafts), (), remedies)


def _search_batches(
    name: str, source: Source, batches: Collection[Batch], erasure: Erasure, what: str, remedy: str
) -> Place:
    found, faults, remedies = 0, list[str](), list[str]()
    for batch in batches:
        edits, fault = edits_of(source, batch, erasure)
        faults += [fault] if fault else []
        if named := len(edits) + (erasure.hide_in(batch) != batch):
            found += named
            remedies.append(f"{batch.path} ({batch.name}) still names the person: {remedy.format(batch)}.")
    return Place(name, count(len(batches), what), found, tuple(faults), tuple(remedies))


def edits_of(source: Source, batch: Batch, erasure: Erasure) -> tuple[dict[int, Edit], str]:
    """Find what is to be edited in a batch; or say why it cannot be read."""
    if not batch.fault and not batch.path.exists():  # the rows that were loaded from it are in tables that are searched
        return {}, ""
    try:
        return _find(source, batch, erasure)
    except Session.FAULTS as error:
        fault = explain_fault(error)
        return {}, f"{batch.path} cannot be searched for the person ({fault}): put it back whole, or delete it."


def _find(source: Source, batch: Batch, erasure: Erasure) -> tuple[dict[int, Edit], str]:
    try:
        return find_edits(source, batch, erasure.person, erasure.key.encode(), decoded_addresses), ""
    except FileRejectedError as error:  # none of it was ever read, so none of it is in a table
        if batch.fault or not _is_mentioned(batch, erasure.person):
            return {}, ""
        return {}, f"{batch.path} names the person and cannot be read ({error}): delete it."


def _is_mentioned(batch: Batch, person: Person) -> bool:
    """Search a file that is no table of its source. Raises `UnreadableError` if it expands too far."""
    check_decodable(batch.path)  # 1 MB of a landing folder may be 1 GB: it was rejected for that, and is still there
    found, before = False, b""
    with batch.open() as stream:
        while piece := stream.read(_PIECE_BYTES):
            texts = ((before + piece).decode(encoding, "backslashreplace") for encoding in ENCODINGS)
            found |= any(map(person.is_mentioned, texts))
            before = piece[-_OVERLAP_BYTES:]
    return found


def landed_files(source: Source, settings: Settings) -> Iterator[Batch]:
    """Yield the files of the landing folder as batches. A file stays there after it was copied into the lake."""
    for name, path in look_into(source, settings).files if source.format.suffixes else ():
        status, sha256 = path.stat(), sha256_of(path)
        at = dt.datetime.fromtimestamp(status.st_mtime, dt.UTC)
        yield Batch(batch_id_of(source.name, sha256), source.name, name, sha256, path, at, status.st_size)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def may_name(path: Path, erasure: Erasure) -> bool:
    """Return whether a file names the person in its name or text, or cannot be read."""
    try:
        is_mentioned = path.is_file() and erasure.person.is_mentioned(path.read_text("utf-8", "replace"))
    except OSError:
        return True
    return is_mentioned or erasure.hide(path.name) != path.name


def old_drafts(settings: Settings) -> list[Path]:
    """Return drafts that runs left when they were killed; those younger than an hour may be of one that goes on."""
    drafts = settings.quarantine_dir.glob(".*.part")
    return [path for path in drafts if path.exists() and time.time() - path.stat().st_mtime > DRAFT_S]


def rows_naming(session: Session, contract: ContractType, person: Person) -> Iterator[Mapping[str, str | None]]:
    """Yield the rows of a table that name the person: text by column, of those that are searched."""
    types = column_types(contract)
    columns = {x: f"CAST({quote(x)} AS VARCHAR)" for x, kind in types.items() if kind == "VARCHAR" or x in IDENTIFYING}
    notes = [name for name in NOTES if name in columns and contract in LEDGER_TABLES]
    conditions = [f"regexp_matches({text}, $may)" for name, text in columns.items() if types[name] == "VARCHAR"]
    values: dict[str, object] = {"may": person.may} if conditions else {}
    for name, text in columns.items():
        if known := person.exact.get(kind := IDENTIFYING.get(name, "")):
            conditions.append(f"list_contains(${kind}, {text})")
            values[kind] = known
        if kind == "order":
            starts = {f"order_{number}": start for number, start in enumerate(person.order_starts)}
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
