"""Writes a report into a folder: `findings.md`, `findings.html`, `plots/*.png`, each whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from analytics_platform.reports.findings import Report
from analytics_platform.reports.render import render_html, render_markdown


def write_report(report: Report, folder: Path) -> None:
    """Write the report below `folder`, and remove plots of an earlier report that this one does not have.

    Every file is written beside its place and renamed. Raises `OSError` if the folder cannot be written.
    """
    plots = folder / "plots"
    plots.mkdir(parents=True, exist_ok=True)
    drawn = {plots / f"{section.name}.png": section.plot.wide for section in report.sections if section.plot}
    for path, png in drawn.items():
        _replace(path, png)
    for name, render in (("findings.md", render_markdown), ("findings.html", render_html)):
        _replace(folder / name, render(f"{name}.j2", report=report).encode())
    for old in set(plots.glob("*.png")) - drawn.keys():
        old.unlink()


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
