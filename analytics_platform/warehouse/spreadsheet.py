"""Writes the rejected records of an input as a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Collection, Sequence
from pathlib import Path

from analytics_platform.warehouse.session import Session

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make spreadsheets run a cell (OWASP: CSV injection)."""

MAX_NAME_BYTES = 200
"""Bytes of the name of an input that stay in the name of its file: file systems take 255, with what is added."""


def harmless(text: str) -> str:
    """Return `text` as a cell that no spreadsheet runs: with an apostrophe before what would start a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_FORMULA) else text


def write_spreadsheets(session: Session, folder: Path, inputs: Collection[str] = ()) -> dict[Path, str]:
    """Write `<input>_errors.csv` for the `inputs`, and for any other input whose file is missing.

    Files of inputs without rejected records are removed. Each file is written beside and then renamed. Returns path →
    why the file could not be written, or an empty text: the records are in `ops.quarantine` in any case.
    """
    rejected: dict[str, list[str]] = {}
    for name, batch in session.rows("SELECT DISTINCT input, batch_id FROM ops.quarantine ORDER BY ALL"):
        rejected.setdefault(name, []).append(batch)
    written: dict[Path, str] = {}
    faults: tuple[type[Exception], ...] = (OSError, *session.FAULTS)
    for name in sorted({*inputs, *rejected}):
        path = _path(folder, name)
        try:
            if name not in rejected:
                path.unlink(missing_ok=True)
            elif name in inputs or not path.exists():
                written[path] = ""
                _write(session, rejected[name], path)
        except faults as error:
            written[path] = f"the file cannot be written: {error}"
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
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["batch_id", "position", "error_reason", "raw"])
        # Batch by batch: the text of one fits in memory, and a queue has thousands of them under one name.
        for rows in (rows for batch in batches for rows in session.stream(sql, {"batch": batch})):
            writer.writerows((batch, position, reason, harmless(raw)) for batch, position, reason, raw in rows)
    draft.rename(path)
