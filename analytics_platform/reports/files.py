"""Writes a report into a folder: `findings.md`, `findings.html`, `plots/*.png`, each whole or not at all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from analytics_platform.reports.findings import Report
from analytics_platform.reports.html import to_html
from analytics_platform.reports.markdown import PLOTS, to_markdown


@dataclass(frozen=True, slots=True)
class Written:
    """Where the report is."""

    markdown: Path
    html: Path
    plots: tuple[Path, ...]


def write_report(report: Report, folder: Path) -> Written:
    """Write the report below `folder`; plots of an earlier report that this one does not have are removed.

    Every file is written beside its place and renamed. Raises `OSError` if the folder cannot be written.
    """
    drawn = {section.name: section.plot.wide for section in report.sections if section.plot is not None}
    (folder / PLOTS).mkdir(parents=True, exist_ok=True)
    plots = tuple(_replace(folder / PLOTS / f"{name}.png", png) for name, png in drawn.items())
    written = Written(
        _replace(folder / "findings.md", to_markdown(report).encode()),
        _replace(folder / "findings.html", to_html(report).encode()),
        plots,
    )
    for old in set((folder / PLOTS).glob("*.png")) - set(plots):
        old.unlink()
    return written


def _replace(path: Path, content: bytes) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return path
