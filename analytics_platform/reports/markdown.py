"""The report as Markdown (GitHub's dialect), its plots as files beside it."""

from __future__ import annotations

import re

from analytics_platform.reports.findings import Report, Section
from analytics_platform.reports.tables import Table

PLOTS = "plots"
"""Folder of the plots, beside the Markdown file."""

_MARKS = re.compile(r"([\\`*_\[\]{}|~#!$])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no table border, no link, no line break."""
    line = " ".join(text.split())
    marked = _MARKS.sub(r"\\\1", line).replace("://", r"\://").replace("www.", r"www\.")
    return re.sub("[&<>]", lambda found: _ENTITIES[found[0]], marked)


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(map(escape, cells)) + " |"


def _table(table: Table) -> str:
    rule = "|" + "|".join(" --- " if place < table.names else " ---: " for place in range(len(table.header))) + "|"
    return "\n".join([f"*{escape(table.caption)}*", "", _row(table.header), rule, *map(_row, table.rows)])


def _section(section: Section) -> str:
    parts = [f"## {escape(section.title)}", escape(section.sentence)]
    if section.plot is not None:
        parts.append(f"![{escape(section.title)}]({PLOTS}/{section.name}.png)")
    return "\n\n".join([*parts, *map(_table, section.tables)])


def _figures(report: Report) -> str:
    names, values = zip(*report.figures, strict=True)
    return "\n".join([_row(names), "|" + " ---: |" * len(names), _row(values)])


def to_markdown(report: Report) -> str:
    """The whole report. Plots are linked as `plots/<section>.png`."""
    parts = [f"# {escape(report.title)}", escape(report.about)]
    if report.figures:
        parts.append(_figures(report))
    parts += [escape(note) for note in report.notes]
    return "\n\n".join([*parts, *map(_section, report.sections)]) + "\n"
