"""Fills the templates: the findings as HTML and Markdown, and parts of dashboard pages. All text is escaped."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Callable
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

# Markup of GitHub's dialect; a colon before a letter or a slash, as in `://` and Streamlit's `:red[`; links without `://`.
_MARKS = re.compile(r"([\\`*_\[\]{}|~#!$]|:(?=[^\s\d])|(?<=www)\.)")
_TOGETHER = re.compile(r"(?<=\d) (?=%)|(?<=\b[A-Z]{3}) (?=−?\d)")


def escape_markdown(text: str) -> str:
    """Escape text so that Markdown shows it as it is: no markup, HTML, table border, link or line break."""
    return html.escape(_MARKS.sub(r"\\\1", " ".join(text.split())), quote=False)


def data_url(png: bytes) -> str:
    """Return a picture as an address that holds the picture itself."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _unbroken(value: object) -> object:
    """Keep a number on one line with its percent sign or its currency."""
    return value if isinstance(value, Markup) else _TOGETHER.sub("\u00a0", str(value))


def _marked(value: object) -> Markup:
    return value if isinstance(value, Markup) else Markup(escape_markdown(str(value)))


@cache
def _environment(finalize: Callable[[object], object]) -> Environment:
    made = Environment(
        loader=PackageLoader("analytics_platform.reports"),
        autoescape=True,
        finalize=finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    made.filters["data_url"] = data_url
    return made


def render_html(template: str, **values: object) -> str:
    """Fill a template whose values become text of an HTML page."""
    return _environment(_unbroken).get_template(template).render(values)


def render_markdown(template: str, **values: object) -> str:
    """Fill a template whose values become text of a Markdown page."""
    return _environment(_marked).get_template(template).render(values)
