"""Writes the rejected records of an input as a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import os
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path
from typing import TextIO

from analytics_platform.warehouse.session import Session

_FORMULA = tuple("=+-@")
"""First characters that make spreadsheets run a cell (OWASP: CSV injection)."""

MAX_NAME_BYTES = 200
"""Bytes of the name of an input that stay in the name of its file: file systems take 255, with what is added."""


def harmless(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run, at the start of a cell or of what it may take for one.

    Where the list separator is `;`, a cell of ours may end at a `;` or at the end of a line.
    """
    parts = re.split(r"(?<=[;\t\r\n])", cell)
    defused = "".join(f"'{part}" if _first_of(part).startswith(_FORMULA) else part for part in parts)
    return f"'{defused}" if not _first_of(parts[0]) and parts[0].endswith(("\t", "\r", "\n")) else defused


def _first_of(part: str) -> str:
    """Return the first character that a spreadsheet does not skip, as NFKC writes it: `＝` is `=`."""
    signs = (sign for sign in part if unicodedata.category(sign)[0] not in "CZ" and sign != '"')
    return unicodedata.normalize("NFKC", next(signs, ""))


def write_sheet(file: TextIO, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV for spreadsheets: all that anybody may download. Every field is quoted, and no text is run."""
    writer = csv.writer(file, quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows([harmless(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)


def write_spreadsheets(
    session: Session, folder: Path, say: Callable[[str], None], inputs: Collection[str] = (), source: str | None = None
) -> list[Path]:
    """Write `<input>_errors.csv` for the `inputs`, and for any other input (of `source`) whose file is missing.

    Files of inputs without rejected records are removed. Each file is written beside and then renamed. Returns what was
    written. `say` gets one sentence on files that could not be: no work fails for them.
    """
    rejected: dict[str, list[str]] = {}
    asked = set(inputs)
    sql = "SELECT DISTINCT input, batch_id, source FROM ops.quarantine ORDER BY input, batch_id"
    for name, batch, of_source in session.rows(sql):
        rejected.setdefault(name, []).append(batch)
        if source in (None, of_source):
            asked.add(name)
    written: list[Path] = []
    failed: dict[str, list[Path]] = {}
    faults: tuple[type[Exception], ...] = (OSError, *session.FAULTS)
    for name in sorted(asked):
        path = _path(folder, name)
        try:
            if name not in rejected:
                path.unlink(missing_ok=True)
            elif name in inputs or not path.is_file():
                _write(session, rejected[name], path)
                written.append(path)
        except faults as error:
            why = error.strerror if isinstance(error, OSError) else None
            failed.setdefault(why or str(error).partition("\n")[0], []).append(path)
    for why, (first, *others) in failed.items():  # a folder that cannot be used is one fault, not one of each file
        files = f"{first} and {len(others):,} more beside it" if others else f"{first}"
        remedy = "make room, correct the rights of the folder, or move away what stands there"
        say(f"{files} cannot be brought up to date ({why}): {remedy}. All rejected records are in ops.quarantine.")
    return written


def _path(folder: Path, name: str) -> Path:
    """Return the file for the rejected records of an input; a hash stands for its folders, or for a name too long."""
    parent, _, file = name.rpartition("/")
    kept = file.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    hidden = parent if kept == file else name
    mark = f"_{hashlib.sha256(hidden.encode()).hexdigest()[:8]}" if hidden else ""
    return folder / f"{kept}{mark}_errors.csv"


def _write(session: Session, batches: Sequence[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    sql = "SELECT batch_id, position, error_reason, raw FROM ops.quarantine WHERE batch_id = $batch ORDER BY position"
    # Batch by batch: the text of one fits in memory, and a queue has thousands of them under one name.
    rows = (row for batch in batches for some in session.stream(sql, {"batch": batch}) for row in some)
    try:
        with draft.open("w", encoding="utf-8-sig", newline="") as file:
            write_sheet(file, ("batch_id", "position", "error_reason", "raw"), rows)
        draft.rename(path)
    finally:
        draft.unlink(missing_ok=True)
