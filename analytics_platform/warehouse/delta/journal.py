"""The journal: makes a change of several Delta tables one transaction, which Delta itself does not have.

A change is staged beside the tables first, where nobody reads it. Then one entry of the journal names all its steps:
that is the commit. Then the steps are made, and what was staged is deleted. The journal is a Delta table of one small
file that each entry replaces: of two writers the second fails, looks what the first changed, and goes on after it.

Killed before the entry, nothing has happened. Killed after it, the next session that writes makes the steps that are
missing. Each is a commit of one table that carries the number of its entry: Delta makes none twice, whoever tries.
Nobody holds a lock, so there is none that a killed process could leave. The alternative, rows first and the ledger
last, would have every reader look for rows without a ledger, and could not tell those of a dead load from a live one's.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from analytics_platform.catalog import CONTRACTS
from analytics_platform.transform import DayRange
from analytics_platform.warehouse.build import tables_to_build
from analytics_platform.warehouse.delta.damage import damaged
from analytics_platform.warehouse.delta.failures import again, was_cut
from analytics_platform.warehouse.delta.overwrite import replace_rows
from analytics_platform.warehouse.delta.place import WRITTEN, DeltaPlace
from analytics_platform.warehouse.session import ConflictError, WarehouseError

JOURNAL, STAGED = "_journal", "_staged"

_APP = "analytics-platform"
"""Whose numbers they are, in the log of a table."""

_KEPT = 200
"""Entries that are kept: what others changed while a transaction was made is among them, or it has to be made again."""

_TRIES = 20
"""Commits that others may make at the same moment before that is an error."""

_THREADS = 16

_SCHEMA = pa.schema([("number", pa.int64()), ("entry", pa.string())])


@dataclass(frozen=True, slots=True)
class JournalStep:
    """One change of one table by the rows staged under `staged`.

    `how` is `append`, `overwrite` (what `condition` selects, all if it is empty) or `merge` (rows with the same key by
    `condition`: those with `put` are added or replaced, the others deleted).
    """

    table: str
    how: str
    condition: str
    staged: str


@dataclass(frozen=True, slots=True)
class Part:
    """What must not have been changed by others meanwhile: days of a table (as text), or all of it."""

    table: str
    first: str = ""
    last: str = ""

    @classmethod
    def of(cls, table: str, days: DayRange | None) -> Part:
        """Return the days of a table, or all of it."""
        return cls(table, str(days.first), str(days.last)) if days else cls(table)

    def overlaps(self, other: Part) -> bool:
        """Return whether both have a row in common."""
        is_apart = self.first and other.first and (self.last < other.first or other.last < self.first)
        return self.table == other.table and not is_apart


@dataclass(frozen=True, slots=True)
class Entry:
    """A transaction that is committed: what it changes, and how.

    The last one has the names of all tables that were `known` before: those that transactions changed. It was made
    `at_ms` after 1970; 0 in older journals.
    """

    number: int
    staged: str
    parts: Sequence[Part]
    steps: Sequence[JournalStep]
    known: Sequence[str] = ()
    at_ms: int = 0

    @classmethod
    def read(cls, text: str) -> Entry:
        """Read what `text` gives."""
        found = json.loads(text)
        parts, steps = [Part(**each) for each in found["parts"]], [JournalStep(**each) for each in found["steps"]]
        return cls(found["number"], found["staged"], parts, steps, found.get("known", ()), found.get("at_ms", 0))

    @property
    def text(self) -> str:
        """Write it as text."""
        return json.dumps(asdict(self))


class Journal:
    """The journal of the tables at a place."""

    def __init__(self, place: DeltaPlace) -> None:
        self._place = place
        self._table: DeltaTable | None = None
        self._version = -1
        self._entries: list[Entry] = []
        self._is_known = False
        self._opened = dict[str, DeltaTable]()

    def table(self, name: str) -> DeltaTable | None:
        """Open a table as it is, if there is one; of one that was opened before, read what was committed since.

        Raises `DamageError` if the log of the table is damaged.
        """
        # In a bucket that takes 2 requests in place of 19.
        known = self._opened.get(name)
        if known is not None and self._place.update(name, known):
            return known
        if (table := self._place.table(name)) is not None:
            self._opened[name] = table
        return table

    def settle(self) -> int:
        """End the last transaction if its writer did not, and return its number."""
        self._read()
        return self._entries[-1].number if self._entries else 0

    @property
    def last_staged(self) -> str:
        """The folder of what was staged for the last transaction, as last read."""
        return self._entries[-1].staged if self._entries else ""

    def changed_since(self, number: int) -> set[str] | None:
        """Return the tables that transactions after `number` changed, as last read; None if that is not known."""
        if self._entries and self._entries[0].number > number + 1:
            return None
        return set().union(*(_tables_of(entry) for entry in self._entries if entry.number > number))

    def misses(self, name: str) -> bool:
        """Return whether a table that transactions changed is lost. One that is built is not if its folder is gone."""
        is_known = name in _known(self._entries)
        return is_known and (name not in tables_to_build() or self._place.has_folder(name))

    def know(self) -> None:
        """Read the entries, unless they were: what a table lacks is seen by one that is opened after that."""
        if not self._is_known and (table := self.table(JOURNAL)):
            # A session that only reads does not settle it. One that writes goes on with what is open here.
            self._entries, self._table = self._stored(table), table
        self._is_known = True

    def is_behind(self, name: str, table: DeltaTable) -> bool:
        """Return whether a table lacks a step of a transaction: the last entries of its log are lost."""
        made, since = table.transaction_version(_APP), 0
        if made is None and name in tables_to_build():  # it was moved away, perhaps, and made anew
            made, since = 0, table.metadata().created_time or 0
        lacking = [x for x in self._entries if x.number > (made or 0) and x.at_ms >= since and name in _tables_of(x)]
        if not lacking or lacking[0] is not self._entries[-1]:
            return bool(lacking)
        if self._place.files(f"{STAGED}/{lacking[0].staged}"):  # the steps of the last one are not all made
            return False
        latest = self.table(name)
        return latest is not None and not _is_made(lacking[0], latest)

    def commit(self, base: int, staged: str, parts: Sequence[Part], steps: Sequence[JournalStep]) -> int:
        """Make a transaction that looked at the tables when `base` was the last one; return its number.

        Raises `ConflictError` if another one has changed a part of it since; nothing is stored then.
        """
        for _ in range(_TRIES):
            self._check(base, parts)
            number, now_ms = self._entries[-1].number + 1 if self._entries else 1, round(time.time() * 1000)
            entry = Entry(number, staged, parts, steps, at_ms=now_ms)
            try:
                self._write(entry)
            except (DeltaError, OSError) as error:
                if not isinstance(error, CommitFailedError) and not was_cut(error):
                    raise
                self._read()  # another one was first, or a bucket stored it and answered that it failed
                if stored := [each.number for each in self._entries if each.staged == staged]:
                    return stored[0]
                continue
            self._apply(entry)
            return entry.number
        raise ConflictError(f"Too many runs write the warehouse {self._place.root} at once: run it again.")

    def _check(self, base: int, parts: Sequence[Part]) -> None:
        for entry in (each for each in self._entries if each.number > base):
            for part in (each for each in parts if any(map(each.overlaps, entry.parts))):
                days = f" for {part.first}...{part.last}" if part.first else ""
                raise ConflictError(
                    f"Another run changed {part.table}{days} while this one did: nothing of this one was stored, run "
                    "it again."
                )
        if self._entries and self._entries[0].number > base + 1:
            raise ConflictError(f"More than {_KEPT} transactions of other runs came between: run it again.")

    def _read(self) -> None:
        """Read the entries, unless they were read, and end the last one: make its steps that are missing."""
        self._table = self._own_table()
        if self._table.version() == self._version:
            return
        self._entries, self._is_known = self._stored(self._table), True
        # What was staged is deleted when all steps are made.
        if self._entries and self._place.files(f"{STAGED}/{self._entries[-1].staged}"):
            self._apply(self._entries[-1])
        self._version = self._table.version()

    def _own_table(self) -> DeltaTable:
        if (table := self.table(JOURNAL)) is None and not is_there(self._place):
            self._place.create(JOURNAL, _SCHEMA)
        table = table or self.table(JOURNAL)
        assert table is not None
        return table

    def _stored(self, table: DeltaTable) -> list[Entry]:
        try:
            texts = again(table.to_pyarrow_table)(columns=["entry"])["entry"].to_pylist()
        except (DeltaError, OSError, pa.ArrowException) as error:
            if damage := self._place.damage([JOURNAL]):
                raise damage from error
            raise
        return sorted(map(Entry.read, texts), key=lambda entry: entry.number)

    def _write(self, entry: Entry) -> None:
        assert self._table is not None
        before = [replace(each, known=()) for each in self._entries[1 - _KEPT :]]
        entries = [*before, replace(entry, known=_known([*self._entries, entry]))]
        rows = [{"number": each.number, "entry": each.text} for each in entries]
        table = pa.Table.from_pylist(rows, _SCHEMA)
        # Tried again by Delta, the second of two first entries removes no file of the other: both would be number 1.
        strict = CommitProperties(max_commit_retries=0)
        write_deltalake(self._table, table, mode="overwrite", writer_properties=WRITTEN, commit_properties=strict)
        self._entries = entries

    def _apply(self, entry: Entry) -> None:
        """Make the steps of the last entry. Until that succeeds the journal counts as not read."""
        assert self._table is not None
        for step in entry.steps:
            refusal: CommitFailedError | None = None
            for _ in range(_TRIES):
                if (table := self.table(step.table)) is None or _is_made(entry, table):
                    break
                if (refusal := again(self._make)(entry, step, table)) is None:
                    break
            else:
                # Others commit now and then; a property such as delta.appendOnly refuses for ever.
                remedy = "correct its properties, or move its folder away and build it again"
                raise WarehouseError(f"Delta refuses to change {step.table} ({refusal}): {remedy}.") from refusal
        self._place.delete(f"{STAGED}/{entry.staged}")
        self._version = self._table.version()

    def _make(self, entry: Entry, step: JournalStep, table: DeltaTable) -> CommitFailedError | None:
        """Make a step, unless another process makes it at the same moment, or another commit of the table.

        Returns why Delta refused it.
        """
        own = CommitProperties(
            app_transactions=[Transaction(_APP, entry.number)],
            custom_metadata={"transaction": str(entry.number)},
            # Delta sees no conflict with a commit that joined files: it would keep them beside what replaces them.
            max_commit_retries=0,
        )
        try:
            if step.how == "merge":
                _merge(table, self._place.read(self._place.parquet_files(step.staged)), step.condition, own)
            else:
                condition = step.condition if step.how == "overwrite" else None
                replace_rows(self._place, step.table, table, step.staged, condition, own)
        except CommitFailedError as error:
            return error
        except (DeltaError, OSError, pa.ArrowException):
            # A process that sees the entry makes its steps too. The first that has made all deletes what was staged,
            # while others still read it.
            latest = self.table(step.table)
            if latest and not _is_made(entry, latest):
                raise
        return None


def is_there(place: DeltaPlace) -> bool:
    """Return whether there is a journal. Raises `DamageError` if there was: a new one would count from 1 again."""
    if place.table(JOURNAL) is not None:
        return True
    with ThreadPoolExecutor(_THREADS) as pool:
        if any(table and table.transaction_version(_APP) for table in pool.map(place.table, CONTRACTS)):
            raise damaged(place.root, JOURNAL, "its folder has no table any more")
    return False


def _known(entries: Iterable[Entry]) -> list[str]:
    """Name the tables that transactions have changed."""
    return sorted({name for each in entries for name in (*each.known, *(step.table for step in each.steps))})


def _tables_of(entry: Entry) -> set[str]:
    return {step.table for step in entry.steps}


def _is_made(entry: Entry, table: DeltaTable) -> bool:
    """Return whether a table has the step of an entry."""
    return (table.transaction_version(_APP) or 0) >= entry.number


def _merge(table: DeltaTable, rows: pa.RecordBatchReader, condition: str, properties: CommitProperties) -> None:
    version = table.version()
    (
        table.merge(
            rows,
            condition,
            source_alias="staged",
            target_alias="kept",
            commit_properties=properties,
            writer_properties=WRITTEN,
        )
        .when_matched_delete("NOT staged.put")
        .when_matched_update_all(except_cols=["put"])
        .when_not_matched_insert_all("staged.put", except_cols=["put"])
        .execute()
    )
    if table.version() == version:
        # Another writer deleted the same rows. Delta makes no commit of nothing: the step would never count as made.
        table.create_write_transaction([], "append", table.schema(), commit_properties=properties)
