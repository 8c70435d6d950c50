"""What a source declares of itself: its contract, how its records arrive, and how its bytes become records."""

from __future__ import annotations

import datetime as dt
import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, TypeAlias

from pydantic import SecretStr

from analytics_platform.contracts.base import ContractType
from analytics_platform.contracts.event_names import plain_name
from analytics_platform.contracts.functions import macros, macros_in
from analytics_platform.gate import FileRejectedError, Origin, Records, Verdict, reasons_of, validate
from analytics_platform.gate.records import Positions
from analytics_platform.lake import Batch, Lake, LakeError, check_decodable, open_decoded
from analytics_platform.settings import Settings, masked

Say: TypeAlias = Callable[[str], None]
"""Takes a sentence for the log."""

Connect: TypeAlias = Callable[[str], Any]
"""Makes the client of the system at an address."""


_KINDS = re.compile(
    rb"(?P<spreadsheet>PK\x03\x04[\s\S]{26}(?:\[Content_Types|_rels/|docProps/|xl/)|\xd0\xcf\x11\xe0)"
    rb"|(?P<zip>PK\x03\x04)|(?P<bzip2>BZh\d)|(?P<xz>\xfd7zXZ)|(?P<_7z>7z\xbc\xaf)|(?P<rar>Rar!)"
    rb"|(?P<lz4>\x04\x22M\x18)|(?P<tar>[\s\S]{257}ustar)|(?P<Avro>Obj\x01)|(?P<SQLite>SQLite format 3\0)|(?P<PDF>%PDF-)"
    rb"|(?P<HTML>\s*(?i:<!doctype html|<html))|(?P<XML>\s*<\?xml)"
    rb"|(?P<Parquet>PAR1)|(?P<JSON>(?:\xef\xbb\xbf)?\s*[\[{]\s*[\"{\[}\]])"
)
"""How files of some kinds begin, whatever their names say."""

_SHEETS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")


@dataclass(frozen=True, slots=True)
class Edit:
    """What becomes of a record: it is left out, or has no other `values` (text by contract column).

    `until` is the position of the next record, if there is one.
    """

    until: int | None
    values: Mapping[str, str] | None = None


Edits: TypeAlias = Mapping[int, Edit]
"""Position of a record in its batch → what becomes of it."""


def edit_lines(
    stream: BinaryIO, edits: Edits, line_of: Callable[[Mapping[str, str]], bytes], write: Callable[[bytes], object]
) -> None:
    """Copy lines of a stream, but for those of records that are edited. A position is the number of a line, from 1."""
    number, is_start, gone_until = 1, True, 0.0
    while part := stream.readline(1 << 20):
        if is_start and number >= gone_until and number in edits:
            gone_until = edits[number].until or float("inf")
            if (values := edits[number].values) is not None:
                write(line_of(values))
        if number >= gone_until:
            write(part)
        is_start = part.endswith(b"\n")
        number += is_start


class Format(ABC):
    """How the bytes of a batch become records.

    `suffixes` are the ends of the names of files that are taken from the landing folder (none: no file is), `reasons`
    those for which a record cannot be parsed at all, `beside` the ends of names of files that are known and not read.
    """

    suffixes: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[tuple[str, ...]] = ()
    reasons: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the content of a batch; given positions, only the records at these."""

    def edit(self, batch: Batch, contract: ContractType, edits: Edits, out: BinaryIO) -> None:
        """Write the content of a batch with some records edited, and all others as they are. Raises `LakeError`."""
        raise LakeError(f"no record can be taken out of it: write edit() of {type(self).__name__}")

    def is_beside(self, path: Path) -> bool:
        """Tell whether a file is known and not read."""
        return path.name.lower().endswith(self.beside)

    def takes(self, name: str) -> bool:
        """Tell whether a file of this name is one of the source's."""
        return name.lower().endswith(self.suffixes)

    def check(self, path: Path, contract: ContractType) -> None:
        """Raise `FileRejectedError` or `UnreadableError` for a file none of whose records can be read."""
        check_decodable(path)
        self.check_kind(path)

    def check_kind(self, path: Path) -> None:
        """Raise `FileRejectedError` for a file that begins as those of other kinds do, whatever its name says."""
        with open_decoded(path) as stream:
            found = _KINDS.match(stream.read(1 << 10))
        kind = "spreadsheet" if path.suffix.lower() in _SHEETS else ((found and found.lastgroup) or "").lstrip("_")
        if kind in ("zip", "bzip2", "xz", "7z", "rar", "lz4", "tar"):
            raise FileRejectedError(f"it is packed as {kind}: unpack it, and drop what is in it")
        if kind and f".{kind.lower()}" not in self.suffixes:
            a = "an" if kind[0] in "AHX" else "a"
            raise FileRejectedError(f"it is {a} {kind} file: export it as {self.suffixes[0]}, and drop that")


class Arrival(ABC):
    """How a source's records arrive: the `system` they come from, and the `setting` that holds its address.

    Files have no setting: they are dropped into LANDING_DIR. `about` describes the system and `description` what is
    taken from it; `kinds` are the badges in the UI, the system's first.
    """

    system: ClassVar[str]
    about: ClassVar[str]
    description: ClassVar[str]
    kinds: ClassVar[tuple[str, ...]]
    setting: ClassVar[str] = ""

    def address(self, settings: Settings) -> str:
        """Give the address of the system; empty if its setting is not set."""
        value = getattr(settings, self.setting.lower()) if self.setting else settings.landing_place
        return str(value.get_secret_value() if isinstance(value, SecretStr) else value)

    def shown(self, settings: Settings) -> str:
        """Give that address for people to read, without what is or may be secret in it."""
        # Options are left out too: an API may call its token anything.
        return masked(self.address(settings)).partition("?")[0]

    def fetch(
        self, source: Source, settings: Settings, lake: Lake, say: Say, connect: Connect | None = None
    ) -> Mapping[str, int | str]:
        """Move what is new in the system into the lake, and give figures for people. Raises `UserError`.

        Given `connect`, the client of the system is what that returns for its address, not one made by the settings.
        """
        return {}


class CountedArrival(Arrival):
    """An arrival from a system that tells how much waits in it, without handing it over."""

    @abstractmethod
    def waiting(self, settings: Settings) -> int:
        """Count what waits in the system, about."""


@dataclass(frozen=True, slots=True)
class OrderRecords:
    """Which records are orders: those with these event `names` of GA4, or all without. What stays are `columns`."""

    columns: tuple[str, ...]
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """A source of raw input. Raw asset, gate, sensor, landing folder, freshness and status follow from it.

    When a person is erased, their `orders` stay without the person.
    """

    contract: ContractType
    arrival: Arrival
    format: Format
    orders: OrderRecords | None = None

    @property
    def name(self) -> str:
        """Give the name of the source, of its landing folder and of its folder in the lake."""
        return self.contract.table.source

    def address(self, settings: Settings) -> str:
        """Give where its records come from; empty if its setting is not set."""
        address = self.arrival.address(settings)
        return address if self.arrival.setting else f"{address}/{self.name}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """List every reason for which the gate rejects one of its records."""
        return tuple(dict.fromkeys((*reasons_of(self.contract), *self.format.reasons)))

    def validate(self, batch: Batch, settings: Settings, only: Positions = None) -> Iterator[Verdict]:
        """Put the records of a batch through the gate; with `only`, those at these positions."""
        earliest = dt.datetime.combine(settings.partition_start, dt.time(), dt.UTC)
        with batch.open() as stream:
            records = self.format.read(batch, stream, self.contract, only)
            origin = Origin(batch.batch_id, batch.arrived_at, earliest)
            read = partial(names_read, self.contract)
            yield from validate(records, self.contract, origin, read if only is None else None)


@cache
def names_read(contract: ContractType, column: str) -> frozenset[str]:
    """Return the names of fields in a JSON column that are read of a source's records, as `plain_name` writes them.

    These are the names in `events.sql` beside the contract, and in the functions that it calls, if that reads the
    column; else, as of a document that is kept whole, the names that the contract has for columns.
    """
    path = Path(inspect.getfile(contract)).with_name("events.sql")
    sql = path.read_text(encoding="utf-8") if path.exists() else ""
    if f"fields_of({column})" not in sql:
        return frozenset(map(plain_name, chain.from_iterable(x.metadata["source"] for x in contract.columns.values())))
    texts = "\n".join([sql, *(macros()[name] for name in macros_in(sql))])
    # A field of `fields`, a path in the document, a list of spellings. The words of other texts in SQL are no names.
    found = re.findall(r"(?i)struct_extract\(fields, '(\w+)'|'\$\.(\w+)'|spelled\(document, \[([^]]*)\]", texts)
    return frozenset(map(plain_name, re.findall(r"[\w$]+", " ".join(map(" ".join, found)))))
