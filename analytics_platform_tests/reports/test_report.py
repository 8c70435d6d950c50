"""The report as a reader gets it: complete, the same for the same data, in files that need nothing else."""

import datetime as dt
import re
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from analytics_platform.reports.findings import NO_DATA, Report, make_report, read_facts, write_report
from analytics_platform.reports.render import render_html, render_markdown
from analytics_platform.reports.tables import attribution_table, customers_table, devices_table, products_table
from analytics_platform.warehouse import DuckDBWarehouse
from analytics_platform_tests.reports.examples import (
    AS_OF,
    LIMIT,
    NOV_1,
    add,
    days,
    facts,
    fill,
    frame,
    product,
    read,
    warehouse,
)

TITLES = [
    "Daily trends", "Funnel", "Channels: first touch against last touch", "Devices", "Top products",
    "Product lists by engagement", "From view to purchase", "Most active customers", "Users who are no known customers",
    "Data quality", "Not fully counted",
]  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "warehouse.duckdb"
    with warehouse(path) as session:
        fill(session, dt.date(2026, 11, 16))
    return path


@pytest.fixture(scope="module")
def report(path: Path) -> Report:
    return make_report(read(path), AS_OF, LIMIT)


def test_every_section_has_a_plot_a_table_and_one_sentence(report: Report) -> None:
    assert [section.title for section in report.sections] == TITLES
    for section in report.sections[:-1]:
        assert section.plot is not None and section.tables
        assert section.sentence.endswith(".") and ". " not in section.sentence


def test_the_head_says_period_rows_and_when(report: Report) -> None:
    assert report.about == (
        "1–16 Nov 2026 (16 days); of all 1,500 records loaded, 1,425 were accepted; data loaded on 1 Dec 2026, "
        "09:30 UTC; report made on 1 Dec 2026, 09:30 UTC."
    )
    assert dict(report.figures) == {
        "Sessions": "1,613", "Visitors": "2", "Orders": "150", "Revenue": "18,518", "Refunds": "1,500",
        "Net revenue": "17,018", "Average order": "123.45", "Conversion": "8.4 %",
    }  # fmt: skip


def test_a_day_that_may_not_be_complete_is_pointed_out(report: Report) -> None:
    assert report.notes[-1] == "16 Nov may not be complete, and is left out of comparisons."


def test_the_change_of_the_trends_table_has_the_reservation_of_its_sentence() -> None:
    quality = [(NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, "referrer" if n > 6 else "") for n in range(14)]
    found = facts(days=days(*[(10, 1, 50)] * 14), quality=frame("quality", quality))
    (trends, *_) = make_report(found, AS_OF, LIMIT).sections
    said = "clickstream has no referrer on 8–14 Nov"
    assert trends.sentence.endswith(f"; but {said}.") and trends.tables[0].header[-1] == "Change"
    assert trends.tables[0].caption.endswith(f"; the days that are compared differ: {said}")


def test_a_column_that_a_section_needs_and_one_week_lacks_is_named_there() -> None:
    quality = [
        (NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, "user_agent, lists" if n > 6 else "") for n in range(14)
    ]
    sections = make_report(
        facts(days=days(*[(10, 1, 50)] * 14), quality=frame("quality", quality)), AS_OF, LIMIT
    ).sections
    said = {section.name: section.sentence for section in sections}
    lost = "on 8–14 Nov (bots count as people then)."
    assert said["devices"].endswith(f"; but clickstream has no user_agent {lost}")
    assert said["product_lists"].endswith(f"; but clickstream has no user_agent and no lists {lost}")
    assert said["top_products"].endswith(f"name no product by its id and clickstream has no user_agent {lost}")


@pytest.mark.parametrize(
    ("lacking", "sections"),
    [
        (
            "view_item events",
            {"daily_trends", "funnel", "customers", "top_products", "product_lists", "view_to_purchase"},
        ),
        ("items of purchases", {"daily_trends", "top_products", "product_lists", "view_to_purchase"}),
    ],
)
def test_products_say_from_which_day_on_nothing_tells_of_them(lacking: str, sections: set[str]) -> None:
    quality = [(NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, lacking if n > 6 else "") for n in range(14)]
    report = make_report(facts(days=days(*[(10, 1, 50)] * 14), quality=frame("quality", quality)), AS_OF, LIMIT)
    said = f" clickstream has no {lacking} on 8–14 Nov"
    assert {section.name for section in report.sections if said in section.sentence} == sections


def test_a_day_without_data_and_the_end_of_orders_are_named_beside_the_change() -> None:
    quality = [(NOV_1 + dt.timedelta(n), "clickstream", 99, 0, 0, "") for n in range(15) if n != 3]
    numbers = [(0, 0, 0) if n == 3 else (10, 2 if n < 11 else 0, 50 if n < 11 else 0) for n in range(15)]
    report = make_report(facts(days=days(*numbers), quality=frame("quality", quality)), AS_OF, LIMIT)
    ended = "visits came and no order on 12–15 Nov"
    assert report.sections[0].sentence.endswith(f"; but {ended} and no source brought anything on 4 Nov.")
    named = {section.name for section in report.sections if ended in section.sentence}
    assert named == {"daily_trends", "funnel", "devices", "top_products", "view_to_purchase"}


def test_a_shop_with_orders_and_no_event_of_any_is_not_called_one_without_orders() -> None:
    said = "3 orders of the shop's database (1 cancelled) are in no figure, since no event tells of them"
    report = make_report(replace(facts(quality=frame("quality", [(NOV_1, "orders", 3)])), untold=(3, 1)), AS_OF, LIMIT)
    assert report.notes[1] == f"{said}."
    assert report.sections[0].sentence == f"No event tells of a visit or an order yet; but {said}."
    by_phone = make_report(replace(facts(days=days(*[(10, 9, 50)] * 7)), untold=(1, 0)), AS_OF, LIMIT)
    assert by_phone.notes[1] == "1 order of the shop's database is in no figure, since no event tells of it."
    assert not any("database" in section.sentence for section in by_phone.sections[:5])


def test_lists_say_on_which_days_many_records_were_rejected() -> None:
    quality = [(NOV_1 + dt.timedelta(n), "clickstream", 85, 0, 15 if n > 6 else 0, "") for n in range(14)]
    report = make_report(facts(days=days(*[(10, 1, 50)] * 14), quality=frame("quality", quality)), AS_OF, LIMIT)
    said = {section.name for section in report.sections if "15 % of the records of clickstream" in section.sentence}
    assert {"product_lists", "view_to_purchase", "funnel"} <= said


def test_orders_of_unknown_amount_are_named_beside_every_share_of_the_revenue() -> None:
    credits = frame("attribution", [("Direct", 1, 1, 1, 1, 99, 1), ("Email", 1, 1, 1, 99, 1, 99)])
    devices = frame("devices", [("desktop", 10, 0, 2, 2, 99)])
    sold = frame("products", [product("Bed", 2, 99)])
    for unknown, named in ((0, ""), (1, "; but 2 of 6 orders of 1–2 Nov have an unknown amount, which is in no sum.")):
        found = facts(
            days=days(*[(10, 3, 50)] * 2, unknown=unknown), attribution=credits, devices=devices, products=sold
        )
        said = {section.name: section.sentence for section in make_report(found, AS_OF, LIMIT).sections}
        for name in ("attribution", "devices", "top_products"):
            assert said[name].endswith(named) and ("unknown amount" in said[name]) == bool(unknown)


@pytest.mark.parametrize("unfinished", [1, 7])
def test_days_of_which_no_two_weeks_can_be_compared_are_told_with_what_some_of_them_lack(unfinished: int) -> None:
    """The web logs end on 8 Nov, and from then on 15 % of the clickstream is rejected."""
    quality = [(NOV_1 + dt.timedelta(n), "clickstream", 85, 0, 15 if n > 6 else 0, "") for n in range(14)]
    quality += [(NOV_1 + dt.timedelta(n), "web_logs", 99, 0, 0, "") for n in range(8)]
    found = facts(days=days(*[(10, 1, 50)] * 14, unfinished=unfinished), quality=frame("quality", quality))
    assert make_report(found, AS_OF, LIMIT).sections[0].sentence == (
        "The 14 days brought 140 sessions, 14 orders and 700.00 in revenue; every day had 50.00; but 15 % of the "
        "records of clickstream were rejected on 8–14 Nov (0 % on the other days) and web_logs brought nothing on "
        "9–14 Nov."
    )
    assert make_report(found, AS_OF, LIMIT).sections[1].sentence == (
        "No session has a view yet; but web_logs brought nothing on 9–14 Nov and 15 % of the records of clickstream "
        "were rejected on 8–14 Nov (0 % on the other days)."
    )
    for section in make_report(found, AS_OF, LIMIT).sections[2:7]:
        assert "web_logs brought nothing on 9–14 Nov" in section.sentence, section.title
    alike = [row for row in quality if row[0].day < 8]
    one_open = facts(days=days(*[(10, 1, 50)] * 7, unfinished=1), quality=frame("quality", alike))
    assert "; but " not in make_report(one_open, AS_OF, LIMIT).sections[0].sentence


def test_the_report_counts_the_events_of_bots(tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    with warehouse(path) as session:
        fill(session)
        add(session, "star.fact_sessions", events=4)
        add(session, "star.fact_sessions", events=6, is_bot=True)
    report = make_report(read(path), AS_OF, LIMIT)
    assert report.sections[-1].sentence.startswith("6 of 10 events are of bots and in no figure of the shop. ")


def test_the_report_names_events_amounts_and_fields_without_a_meaning(path: Path) -> None:
    nothing = make_report(facts(days=days((1, 0, 0))), AS_OF, LIMIT).sections[-1]
    assert nothing.sentence == "Every event, amount and field of the loaded records is counted."
    words = {"unknown_events": ["'wiggle' of kiosk (2)"], "unread_fields": ["gift_note in extra of kiosk"]}
    unknown = frame("unknown", [("order", "no value", 3, 0)])
    found = replace(read(path), unknown=unknown, **words)  # type: ignore[arg-type]
    left = make_report(found, AS_OF, LIMIT).sections[-1]
    assert left.sentence == (
        "Some amounts are in no sum, some events have an unknown name and count in sessions and interactions only "
        "and some fields are in no figure."
    )
    assert left.tables[0].rows == (
        ("Amounts", "3 orders have an unknown amount, which is in no sum: all without value."),
        ("Events", "'wiggle' of kiosk (2)"),
        ("Fields", "gift_note in extra of kiosk"),
    )


def test_every_amount_names_the_currency_or_the_report_says_that_nobody_told_it(path: Path, report: Report) -> None:
    unnamed = render_markdown("findings.md.j2", report=report)
    with DuckDBWarehouse(path).session(read_only=True) as session:
        named = make_report(read_facts(session, AS_OF, LIMIT, "EUR"), AS_OF, LIMIT)
    assert unnamed.count("The currency of the shop is not known") == 1 and "18,518" in unnamed and "EUR" not in unnamed
    text = render_markdown("findings.md.j2", report=named)
    assert "Amounts are in EUR." in text
    amounts = ("18,518", "17,018", "123.45", "1,234", "8,642", "18,517.50", "15,000", "900.00", "700.00")
    for amount in amounts:
        assert set(re.findall(rf"(?<!of )(\w*) (?<![\d,.]){re.escape(amount)}(?![\d,.])", text)) == {"EUR"}, amount


def test_refunds_of_orders_that_no_event_tells_of_are_explained_beside_revenue_and_products() -> None:
    refunds = frame("lone_refunds", [(NOV_1, 1, 5), (dt.date(2026, 11, 9), 2, "64.50")])
    report = make_report(facts(days=days(*[(10, 1, 50)] * 14, refunds=5), lone_refunds=refunds), AS_OF, LIMIT)
    trends, products = (report.sections[place].sentence for place in (0, 4))
    assert trends.endswith("; but 2 refunds of 64.50 in all are of orders that no event tells of.")
    assert products.endswith(" by its id and 3 refunds of 69.50 in all are of orders that no event tells of.")
    one = make_report(facts(days=days((10, 1, 50)), lone_refunds=refunds[:1]), AS_OF, LIMIT).sections[0].sentence
    assert one.endswith("; but 1 refund of 5.00 is of an order that no event tells of.")


def test_purchases_that_were_rejected_are_named_beside_orders_and_revenue() -> None:
    rejected = frame("rejected_purchases", [(NOV_1, 1), (dt.date(2026, 11, 12), 2), (dt.date(2026, 11, 14), 1)])
    report = make_report(facts(days=days(*[(10, 1, 50)] * 14), rejected_purchases=rejected), AS_OF, LIMIT)
    assert report.notes[1] == "4 of 18 purchases (22 %) of 1–14 Nov were rejected and are in no figure."
    assert report.sections[0].sentence.endswith(
        "; but 3 of 10 purchases (30 %) of 8–14 Nov were rejected and are in no figure (1 of 1–7 Nov)."
    )
    few = make_report(facts(days=days(*[(10, 1, 50)] * 7), rejected_purchases=rejected[:1]), AS_OF, LIMIT)
    assert few.notes[1] == "1 of 8 purchases (12 %) of 1–7 Nov was rejected and is in no figure."
    assert few.sections[0].sentence.endswith(
        "; but 1 of 8 purchases (12 %) of 1–7 Nov was rejected and is in no figure."
    )


def test_a_customer_whose_orders_have_no_known_amount_has_no_revenue_of_nothing() -> None:
    rows = [
        (name, name, "", 9, "", 0, AS_OF, orders, revenue, unknown, 4, 36)
        for name, orders, revenue, unknown in (("Ann", 2, None, 2), ("Bo", 3, 40, 1), ("Cy", 1, 0, 0), ("Di", 0, 0, 0))
    ]
    table = customers_table(frame("customers", rows))
    assert table and [row[-1] for row in table.rows] == ["amount unknown", "40.00 + 1 unknown", "0", "0"]


@pytest.mark.parametrize(
    ("now", "then", "shown"),
    [
        ((0, 3), (900, 0), "amount unknown"),  # it was EUR 0 (−100 %)
        ((900, 0), (0, 3), "900.00"),
        ((600, 3), (900, 0), "600.00 + 3 unknown (−33 %)"),
        ((600, 0), (400, 2), "600.00 (+50 %, before + 2 unknown)"),
        ((0, 0), (900, 0), "0 (−100 %)"),
    ],
)
def test_an_amount_that_is_not_known_is_neither_nothing_nor_a_change(
    now: tuple[int, int], then: tuple[int, int], shown: str
) -> None:
    devices = [frame("devices", [("tv", 9, 0, 3, 3, *amounts)]) for amounts in (now, then)]
    credits = [
        frame("attribution", [("Email", 3, 3, 3, *[amount] * 3, *[unknown] * 3)]) for amount, unknown in (now, then)
    ]
    sold = [frame("products", [product("Bed", 3, amount, unknown=unknown)]) for amount, unknown in (now, then)]
    tables = (
        devices_table(devices[0], before=("device_type", devices[1])),
        attribution_table(*credits),
        products_table(sold[0], before=("product_id", sold[1])),
    )
    cells = [table.rows[0] for table in tables if table]
    assert [cells[0][5], *cells[1][1:4], cells[2][5], cells[2][7]] == [shown] * 6


def test_a_net_revenue_says_which_refunds_are_not_taken_off() -> None:
    sold = pl.concat([frame("products", [product("Bed", 3, 90)]), frame("products", [product("Lamp", 3, 50)])])
    sold = sold.with_columns(unknown_refunds=pl.Series([2, 0]))
    found = facts(days=days(*[(10, 1, 50)] * 14, unknown_refunds=1), products=sold)
    report = make_report(found, AS_OF, LIMIT)
    figures = dict(report.figures)
    assert (figures["Refunds"], figures["Net revenue"]) == ("amount unknown", "700.00 − 14 unknown")
    trends, products = (section for section in report.sections if section.name in ("daily_trends", "top_products"))
    assert "revenue stayed at 350.00 (before 7 refunds of unknown amount)" in trends.sentence
    assert trends.tables[0].rows[4][4:6] == ("350.00 − 7 unknown", "350.00 − 7 unknown")
    assert products.sentence.endswith("; but 14 refunds of 1–14 Nov have an unknown amount, which is in no sum.")
    assert [row[6:] for row in products.tables[0].rows] == [("amount unknown", "90.00 − 2 unknown"), ("0", "50.00")]


def test_a_week_of_orders_of_unknown_amount_has_no_revenue_of_nothing() -> None:
    week = days(*[(10, 2, 0)] * 7, first=dt.date(2026, 11, 8), unknown=2)
    report = make_report(facts(days=pl.concat([days(*[(10, 2, 50)] * 7), week])), AS_OF, LIMIT)
    assert report.sections[0].tables[0].rows[3] == (
        "Revenue", "350.00 + 14 unknown", "25.00 + unknown", "50.00 (7 days)", "amount unknown", "350.00", "–",
    )  # fmt: skip
    assert dict(make_report(facts(days=week), AS_OF, LIMIT).figures)["Net revenue"] == "amount unknown"


def test_orders_with_an_unknown_amount_are_pointed_out() -> None:
    unknown = frame("unknown", [("order", "no exchange rate", 3, 0)])
    facts_ = replace(facts(days=days((9, 4, 100)), unknown=unknown), currency="EUR", unconverted=["CHF"])
    assert make_report(facts_, AS_OF, LIMIT).notes[1] == (
        "3 orders have an unknown amount, which is in no sum: all without a rate of CHF to EUR."
    )


def test_the_weeks_are_compared_in_the_table(report: Report) -> None:
    assert report.sections[0].tables[0].header == (
        "",
        "Total",
        "A day",
        "Highest day",
        "9–15 Nov",
        "1–7 Nov",
        "Change",
    )
    assert report.sections[0].tables[0].rows[2] == (
        "Revenue", "18,518", "1,157", "1,234 (15 days)", "8,642", "8,642", "0 %",
    )  # fmt: skip
    assert [row[0] for row in report.sections[0].tables[0].rows[3:]] == ["Refunds", "Net revenue", "Conversion"]


def test_the_same_warehouse_gives_the_same_files_but_for_the_time_of_the_report(
    path: Path, report: Report, tmp_path: Path
) -> None:
    later = AS_OF + dt.timedelta(days=3)
    write_report(report, tmp_path / "one")
    write_report(make_report(read(path, later), later, LIMIT), tmp_path / "two")
    one, two = (
        {file.relative_to(tmp_path / folder): file.read_bytes() for file in (tmp_path / folder).rglob("*.*")}
        for folder in ("one", "two")
    )
    assert {name: content.replace(b"made on 1 Dec 2026", b"made on 4 Dec 2026") for name, content in one.items()} == two
    assert len(one) == 12


def test_the_page_loads_nothing(report: Report) -> None:
    page = render_html("findings.html.j2", report=report)
    addresses = re.findall(r'(?:src|srcset|href|action|poster|data)="([^"]*)"', page)
    assert len(addresses) == 20 and all(address.startswith("data:image/png;base64,") for address in addresses)
    style = page.split("<style>")[1].split("</style>")[0]
    assert not re.search(r"url\(|@import|https?:", style)
    assert not re.search(r"<(script|link|iframe|object|embed)\b", page)


def test_markdown_finds_its_plots(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    linked = re.findall(r"!\[[^]]*\]\(([^)]*)\)", (tmp_path / "findings.md").read_text())
    assert len(linked) == len(TITLES) - 1
    assert all((tmp_path / link).read_bytes().startswith(b"\x89PNG") for link in linked)


def test_an_empty_warehouse_is_said_in_both_files(tmp_path: Path) -> None:
    report = make_report(facts(), AS_OF, LIMIT)
    write_report(report, tmp_path)
    assert NO_DATA in (tmp_path / "findings.md").read_text() and NO_DATA in (tmp_path / "findings.html").read_text()
    assert report.figures == () and report.sections == () and not list((tmp_path / "plots").iterdir())


@pytest.mark.parametrize(
    "some",
    [
        {"quality": frame("quality", [(AS_OF.date(), "web", 0, 0, 3)])},
        {"days": days((3, 0, 0))},
        {"days": days((0, 1, 0), unfinished=1)},
        {"reasons": frame("reasons", [("a: b", 1)])},
    ],
)
def test_a_warehouse_with_little_in_it_gives_every_section_without_nonsense(some: dict[str, object]) -> None:
    report = make_report(facts(**some), AS_OF, LIMIT)  # type: ignore[arg-type]
    text = render_markdown("findings.md.j2", report=report)
    assert [section.title for section in report.sections] == TITLES
    assert not re.search(r"\b(nan|inf|None)\b", text)
    assert "<h2>Funnel</h2>" in render_html("findings.html.j2", report=report)


def test_plots_that_are_no_longer_drawn_are_removed(report: Report, tmp_path: Path) -> None:
    write_report(report, tmp_path)
    write_report(make_report(facts(), AS_OF, LIMIT), tmp_path)
    assert list((tmp_path / "plots").iterdir()) == []


def test_a_write_that_fails_leaves_the_old_report_whole(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_report(report, tmp_path)
    before = {file: file.read_bytes() for file in tmp_path.rglob("*.*")}

    def half(self: Path, content: bytes) -> int:
        with self.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="No space"):
        write_report(report, tmp_path)
    monkeypatch.undo()
    assert {file: file.read_bytes() for file in tmp_path.rglob("*.*")} == before
