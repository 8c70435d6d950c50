"""Writes the rejected records of an input as a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

from analytics_platform.warehouse.session import Session

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make spreadsheets run a cell (OWASP: CSV injection)."""

MAX_NAME_BYTES = 200
"""Bytes of the name of an input that stay in the name of its file: file systems take 255, with what is added."""


def harmless(text: str) -> str:
    """Return `text` as a cell that no spreadsheet runs: with an apostrophe before what would start a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_FORMULA) else text


def write_spreadsheets(session: Session, folder: Path, inputs: set[str] | None = None) -> list[Path]:
    """Write `<input>_errors.csv` for the `inputs`, and for any other input whose file is missing.

    Files of inputs without rejected records are removed. Each file is written beside and then renamed.
    """
    rejected = {name for (name,) in session.rows("SELECT DISTINCT input FROM ops.quarantine")}
    folder.mkdir(parents=True, exist_ok=True)
    for name in (inputs or set()) - rejected:
        _path(folder, name).unlink(missing_ok=True)
    wanted = {name for name in rejected if name in (inputs or set()) or not _path(folder, name).exists()}
    return [_write(session, name, _path(folder, name)) for name in sorted(wanted)]


def _path(folder: Path, name: str) -> Path:
    """Return the file for the rejected records of an input; a hash stands for its folders, or for a name too long."""
    parent, _, file = name.rpartition("/")
    kept = file.encode()[:MAX_NAME_BYTES].decode(errors="ignore")
    hidden = parent if kept == file else name
    mark = f"_{hashlib.sha256(hidden.encode()).hexdigest()[:8]}" if hidden else ""
    return folder / f"{kept}{mark}_errors.csv"


def _write(session: Session, name: str, path: Path) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    sql = "SELECT batch_id, position, error_reason, raw FROM ops.quarantine WHERE input = $name ORDER BY 1, 2"
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["batch_id", "position", "error_reason", "raw"])
        for rows in session.stream(sql, {"name": name}):
            writer.writerows((batch, position, reason, harmless(raw)) for batch, position, reason, raw in rows)
    draft.rename(path)
    return path
