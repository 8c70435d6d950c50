"""Writes the rejected records of an input as a CSV file that people open in a spreadsheet."""

from __future__ import annotations

import csv
import hashlib
import os
from pathlib import Path

from analytics_platform.warehouse.session import Session

_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""First characters that make spreadsheets run a cell (OWASP: CSV injection)."""


def harmless(text: str) -> str:
    """`text` as a cell that no spreadsheet runs: an apostrophe is put before what would start a formula."""
    return f"'{text}" if text.lstrip(" ").startswith(_STARTS_FORMULA) else text


def spreadsheet_name(name: str) -> str:
    """File name of the rejected records of an input; the folders of an input become a hash in its name."""
    folder, _, file = name.rpartition("/")
    return f"{file}_{hashlib.sha256(folder.encode()).hexdigest()[:8]}_errors.csv" if folder else f"{file}_errors.csv"


def write_spreadsheets(session: Session, folder: Path, inputs: set[str] | None = None) -> list[Path]:
    """Write `<input>_errors.csv` for the `inputs`, and for any other input whose file is missing.

    Files of inputs without rejected records are removed. Each file is written beside and then renamed.
    """
    counts = {name for (name,) in session.rows("SELECT DISTINCT input FROM ops.quarantine")}
    folder.mkdir(parents=True, exist_ok=True)
    for name in (inputs or set()) - counts:
        (folder / spreadsheet_name(name)).unlink(missing_ok=True)
    wanted = [
        name for name in sorted(counts) if name in (inputs or set()) or not (folder / spreadsheet_name(name)).exists()
    ]
    return [_write(session, name, folder / spreadsheet_name(name)) for name in wanted]


def _write(session: Session, name: str, path: Path) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    found = session.stream(
        """
        SELECT batch_id, position, error_reason, raw FROM ops.quarantine WHERE input = $name
        ORDER BY batch_id, position
        """,
        {"name": name},
    )
    with draft.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["batch_id", "position", "error_reason", "raw"])
        for rows in found:
            writer.writerows((batch, position, reason, harmless(raw)) for batch, position, reason, raw in rows)
    draft.rename(path)
    return path
