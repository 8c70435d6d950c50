"""What comes from outside is shown as it is and never becomes markup."""

import html as stdlib_html
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics_platform.reports.findings import Report, Section, make_report
from analytics_platform.reports.render import escape_markdown, render_html, render_markdown
from analytics_platform.reports.tables import TextTable
from analytics_platform_tests.reports.examples import AS_OF, HOSTILE, LIMIT, facts, frame, product

hostile = st.text(st.sampled_from(list("|\\`*_[](){}<>!#$&~\"'\n\r:/ab 1%")), max_size=20) | st.text()


@pytest.fixture(scope="module")
def written() -> tuple[str, str]:
    """A report full of hostile names, as Markdown and as HTML."""
    reasons = frame("reasons", [(HOSTILE, 3)])
    products = frame("products", [product(HOSTILE, 1, 5)])
    devices = frame("devices", [(HOSTILE, 3, 1, 1, 1, 5)])
    lists = frame("lists", [(HOSTILE, HOSTILE, 3, 1, 1, 1, 0.5, 5, 1)])
    bought = frame("bought", [(HOSTILE, HOSTILE, 3, 1, 0.3, 5, 0, 5, 3.0, 1)])
    customers = frame("customers", [(HOSTILE, HOSTILE, HOSTILE, 3, HOSTILE, 1, AS_OF, 1, 5, 0, 1, 3)])
    orphans = frame("orphans", [(HOSTILE, 3, 1, 5, 1)])
    found = facts(
        products=products, reasons=reasons, devices=devices, lists=lists, bought=bought, customers=customers,
        orphans=orphans,
    )  # fmt: skip
    report = make_report(found, AS_OF, LIMIT)
    return render_markdown("findings.md.j2", report=report), render_html("findings.html.j2", report=report)


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


def test_hostile_names_are_text_in_the_page(written: tuple[str, str]) -> None:
    page = Tags(written[1])
    assert {"script", "b", "a"}.isdisjoint(page.tags)
    assert "a|b <script>alert(1)</script> # $x^2$ [c](http://evil" in page.text


def test_hostile_names_neither_break_a_table_nor_become_markup_in_markdown(written: tuple[str, str]) -> None:
    text = written[0]
    assert "<script" not in text and not re.search(r"(?<!\\)\]\(http", text)
    line = next(line for line in text.splitlines() if line.startswith("| a"))
    assert len(re.findall(r"(?<!\\)\|", line)) == 9


def test_the_page_holds_no_handlers_and_forbids_scripts(written: tuple[str, str]) -> None:
    page = Tags(written[1])
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert ("content", "default-src 'none'; img-src data:; style-src 'unsafe-inline'") in page.attributes


@given(hostile)
def test_html_shows_the_same_text(text: str) -> None:
    page = render_html("table.html.j2", table=TextTable("caption", ("a",), ((text,),)))
    cell = page.partition('<td class="name">')[2].partition("</td>")[0]
    assert not set("<>\"'") & set(cell)
    assert stdlib_html.unescape(cell).replace("\u00a0", " ") == text.replace("\u00a0", " ")


@given(hostile)
def test_markdown_shows_the_same_text_on_one_line(text: str) -> None:
    shown = escape_markdown(text)
    assert "\n" not in shown and not re.search(r"(?<!\\)(\\\\)*[|*_`\[\]<>]", re.sub(r"\\.", "", shown))
    assert stdlib_html.unescape(re.sub(r"\\(.)", r"\1", shown)) == stdlib_html.unescape(
        stdlib_html.escape(" ".join(text.split()), quote=False)
    )


@given(st.lists(hostile, min_size=3, max_size=3))
def test_any_row_of_a_table_keeps_its_columns(cells: list[str]) -> None:
    section = Section("name", "Title", "Sentence.", None, (TextTable("caption", ("a", "b", "c"), (tuple(cells),)),))
    page = render_markdown("findings.md.j2", report=Report("Findings", "About.", (), (), (section,)))
    rows = page.splitlines()[-3:]
    assert [len(re.findall(r"\|", re.sub(r"\\.", "", row))) for row in rows] == [4, 4, 4]
