"""The report as one HTML file that loads nothing: plots and style are inside, its policy forbids scripts."""

from __future__ import annotations

import base64
import html
import re

from analytics_platform.reports.findings import Plot, Report, Section
from analytics_platform.reports.tables import Table

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --muted: #667085; --line: #e4e7ec; --page: #f6f7f9; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 3rem 1.5rem 4rem; }
h1 { font-size: 2.1rem; line-height: 1.2; letter-spacing: -.02em; margin: 0 0 .4rem; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .35rem; }
.about, .note, .caption { color: var(--muted); font-size: .875rem; }
.about, .note { margin: 0 0 .4rem; max-width: 46rem; }
.note.alone { font-size: 1.05rem; color: var(--ink); margin-top: 1.5rem; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem;
  margin: 1.5rem 0; }
dl div { background: #fff; border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; }
dt { color: var(--muted); font-size: .8125rem; }
dd { margin: 0; font-size: 1.45rem; font-weight: 650; font-variant-numeric: tabular-nums; }
section { background: #fff; border: 1px solid var(--line); border-radius: .75rem; padding: 1.6rem 1.75rem;
  margin-top: 1.25rem; }
.sentence { margin: 0 0 1.1rem; font-size: 1.0625rem; max-width: 46rem; overflow-wrap: anywhere; }
figure { margin: 0 0 .5rem; }
img { display: block; width: 100%; max-width: 50rem; height: auto; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; width: 100%; max-width: 50rem;
  font-variant-numeric: tabular-nums; }
.caption { margin: 1.2rem 0 .2rem; }
th, td { padding: .38rem 0 .38rem 1.4rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--muted); font-weight: 600; }
.name { text-align: left; padding-left: 0; padding-right: .6rem; }
td.name { white-space: normal; overflow-wrap: break-word; min-width: 7rem; }
@media (max-width: 600px) {
  main { padding: 1.5rem .75rem 2.5rem; }
  h1 { font-size: 1.7rem; }
  section { padding: 1.1rem 1rem; border-radius: .6rem; }
  dl { grid-template-columns: 1fr 1fr; }
  dd { font-size: 1.25rem; }
  table { font-size: .8rem; }
  th, td { padding-left: .55rem; }
  td.name { min-width: 4rem; }
  thead th { white-space: normal; vertical-align: bottom; line-height: 1.25; }
}
@media print { body { background: #fff; } section { border: 0; padding: 0; break-inside: avoid; } }
"""


def escape(text: str) -> str:
    """Text that HTML shows as it is; a number is kept on one line with its percent sign."""
    return re.sub(r"(?<=\d) %", "\u00a0%", html.escape(text, quote=True))


def data_url(png: bytes) -> str:
    """A picture as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _figure(plot: Plot, says: str) -> str:
    return (
        f'<figure><picture><source media="(max-width: 600px)" srcset="{data_url(plot.narrow)}">'
        f'<img alt="{escape(says)}" src="{data_url(plot.wide)}"></picture></figure>'
    )


def _cells(tag: str, cells: tuple[str, ...], names: int) -> str:
    return "".join(
        f'<{tag} class="name">{escape(cell)}</{tag}>' if place < names else f"<{tag}>{escape(cell)}</{tag}>"
        for place, cell in enumerate(cells)
    )


def table_html(table: Table) -> str:
    """A table of text as HTML, everything escaped."""
    rows = "\n".join(f"<tr>{_cells('td', row, table.names)}</tr>" for row in table.rows)
    head = _cells("th", table.header, table.names)
    return (
        f'<p class="caption">{escape(table.caption)}</p>\n'
        f'<div class="scroll"><table aria-label="{escape(table.caption)}">\n'
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>"
    )


def _section(section: Section) -> str:
    figure = [_figure(section.plot, section.sentence)] if section.plot is not None else []
    head = f'<h2>{escape(section.title)}</h2>\n<p class="sentence">{escape(section.sentence)}</p>'
    parts = [head, *figure, *map(table_html, section.tables)]
    return f'<section id="{escape(section.name)}">\n' + "\n".join(parts) + "\n</section>"


def _figures(report: Report) -> str:
    cards = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in report.figures)
    return f"<dl>{cards}</dl>" if cards else ""


def to_html(report: Report) -> str:
    """The whole report as one page."""
    kind = "note" if report.sections else "note alone"
    notes = "\n".join(f'<p class="{kind}">{escape(note)}</p>' for note in report.notes)
    sections = "\n".join(map(_section, report.sections))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(report.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{escape(report.title)}</h1>
<p class="about">{escape(report.about)}</p>
{_figures(report)}
{notes}
{sections}
</main>
</body>
</html>
"""
