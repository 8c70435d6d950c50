"""Each page shows what is stored, says what to do when there is nothing, and takes foreign text as text."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.reports.dashboard.serve import APP, OPTIONS, command
from analytics_platform.reports.dashboard.shell import Chosen
from analytics_platform.reports.dashboard.views import overview, quality
from analytics_platform.reports.findings import make_report, read_facts
from analytics_platform.reports.queries import FINDINGS
from analytics_platform.settings import load_settings
from analytics_platform.transform import DayRange
from analytics_platform.warehouse import open_warehouse
from analytics_platform.warehouse.spreadsheet import harmless
from analytics_platform_tests.kit import built_platform, click
from analytics_platform_tests.postgres import new_database
from analytics_platform_tests.reports.dashboard.servers import free_port
from analytics_platform_tests.reports.dashboard.shop import FIRST, HOSTILE, LAST, LOADED, fill
from analytics_platform_tests.reports.examples import days

PAGES = ("overview", "channels", "products", "customers", "quality", "pipeline")
TIMEOUT_S = 60


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    with open_warehouse(load_settings(data_dir=folder)).session() as session:
        fill(session)
    return folder


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AppTest]:
    """Opens a page with these settings; Dagster is down."""
    monkeypatch.setenv("DAGSTER_URL", f"http://127.0.0.1:{free_port()}")
    # Streamlit puts its page there, and processes that later tests start would draw it.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])

    def open_page(page: str, **settings: object) -> AppTest:
        for name, value in settings.items():
            monkeypatch.setenv(name.upper(), str(value))
        draw = f"sales.show_{page}" if page in ("channels", "products", "customers") else f"{page}.show"
        script = f"from analytics_platform.reports.dashboard.views import {draw.split('.')[0]}\n{draw}()\n"
        test = AppTest.from_string(script, default_timeout=TIMEOUT_S).run()
        assert not test.exception, test.exception
        return test

    return open_page


def html(test: AppTest) -> str:
    return "\n".join(element.proto.body for element in test.get("html"))


def text(test: AppTest) -> str:
    return "\n".join(element.value for element in test.text)


def charts(test: AppTest) -> list[dict[str, Any]]:
    return [json.loads(element.proto.spec) for element in test.get("vega_lite_chart")]


def figures(test: AppTest) -> dict[str, tuple[str, str]]:
    return {metric.label: (metric.value, metric.delta) for metric in test.metric}


def test_the_app_opens_on_the_overview(
    visit: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch, shop: Path
) -> None:
    monkeypatch.setenv("DATA_DIR", str(shop))
    test = AppTest.from_file(str(APP), default_timeout=TIMEOUT_S).run()

    assert not test.exception
    assert [title.value for title in test.title] == ["Overview"]


def test_key_figures_are_compared_with_the_days_before(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("overview", data_dir=shop)

    assert figures(test)["Revenue"] == ("14,007", "+100 %")
    assert figures(test)["Orders"] == ("140", "+100 %")
    assert figures(test)["Conversion"] == ("5.0 %", "0 pp")
    assert figures(test)["Net revenue"] == ("13,307", "+108 %") and figures(test)["Refunds"][0] == "700.00"
    assert "10–16 Nov 2026 (UTC), compared with 3–9 Nov; but no source brought anything on 8 Nov." in text(test)
    assert "Last data loaded 17 Nov 2026, 09:30 UTC." in text(test)


def test_other_days_are_shown_as_chosen(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("overview", data_dir=shop)
    test.button_group(key="period").set_value("All").run()
    assert figures(test)["Orders"] == ("230", "")
    assert "there is no earlier data to compare with" in text(test)

    test.button_group(key="period").set_value("Other days").run()
    test.date_input(key="other_days").set_value((LAST, LAST)).run()
    assert figures(test)["Orders"] == ("20", "0 %")

    test.button_group(key="measure").set_value("Conversion, %").run()
    assert not test.exception


def test_a_day_that_may_not_be_complete_is_not_compared() -> None:
    now, before = days((4, 2, 20), (1, 0, 3), unfinished=1), days((2, 1, 10), (9, 9, 900))
    assert {figure.name: figure.change for figure in overview.figures(now, before)}["Revenue"] == "+100 %"


def test_amounts_name_the_currency(visit: Callable[..., AppTest], shop: Path) -> None:
    assert "The currency of the shop is not known: set SHOP_CURRENCY." in text(visit("overview", data_dir=shop))
    test = visit("overview", data_dir=shop, shop_currency="SEK")
    assert figures(test)["Revenue"][0] == "SEK 14,007" and "Amounts are in SEK." in text(test)


def test_the_trend_joins_days_that_are_not_over_and_moves_the_days_before_onto_them() -> None:
    now, before = days((4, 1, 10), (8, 2, 30), (2, 0, 5), unfinished=1), days((1, 1, 7), (2, 1, 8), (0, 0, 9))
    drawn = overview.trend(now, before, "Revenue")
    lines = {name: dict(rows.select("day", "value").rows()) for (name,), rows in drawn.group_by("line")}
    assert lines == {
        "Revenue": {"1 Nov 2026": 10, "2 Nov 2026": 30},
        "May not be complete": {"2 Nov 2026": 30, "3 Nov 2026": 5},
        "Days before": {"1 Nov 2026": 7, "2 Nov 2026": 8, "3 Nov 2026": 9},
    }


def test_days_without_sessions_have_no_conversion() -> None:
    assert overview.trend(days((0, 0, 0)), days(), "Conversion, %").is_empty()


def test_orders_sessions_conversion_and_revenue_are_the_same_on_all_pages_and_in_the_report(
    visit: Callable[..., AppTest], tmp_path: Path
) -> None:
    """A bot, an order without an amount, one that is repeated, and one whose session began the day before."""
    buy = {"transaction_id": "T1", "revenue": 45.5, "items": [{"item_id": "p1", "price": 40, "quantity": 1}]}
    rows = [
        click("bot", "2024-03-01T10:00:00Z", "view_item", user_agent="Googlebot/2.1 (+http://www.google.com/bot.html)"),
        click("ada", "2024-03-01T10:00:00Z", user_id="1"),
        click("ada", "2024-03-01T10:01:00Z", "purchase", data=buy, user_id="1"),
        click("ada", "2024-03-01T10:02:00Z", "purchase", data=buy, user_id="1"),
        click("ada", "2024-03-02T10:02:00Z", "purchase", data=buy, user_id="1"),
        click("eve", "2024-03-01T23:59:00Z"),
        click("eve", "2024-03-02T00:01:00Z", "purchase", data={"transaction_id": "T2", "revenue": 3}),
        click("sam", "2024-03-02T12:00:00Z", "purchase", data={"transaction_id": "T3"}),
        click("joe", "2024-03-02T13:00:00Z"),
    ]
    with built_platform(tmp_path, rows) as session:
        session.ensure(*(CONTRACTS[table] for table in FINDINGS))
        facts = read_facts(session, LOADED, 0.05)
    report = dict(make_report(facts, LOADED, 0.05).figures)
    said = {}
    for page in ("overview", "channels", "products", "customers"):
        test = visit(page, data_dir=tmp_path)
        if page != "customers":
            test.button_group(key="period").set_value("All").run()
        said[page] = text(test)
        if page == "overview":
            shown = {name: value for name, (value, _) in figures(test).items()}
    for name in ("Orders", "Sessions", "Conversion", "Revenue", "Average order"):
        assert shown[name] == report[name], name
    assert (shown["Orders"], shown["Sessions"], shown["Revenue"]) == ("3", "5", "48.50 + 1 unknown")
    assert facts.frames["attribution"]["last_orders"].sum() == facts.frames["devices"]["orders"].sum() == 3
    assert facts.frames["devices"]["sessions"].sum() == 5
    assert facts.frames["funnel"]["sessions"][-1] == facts.frames["devices"]["converted"].sum() == 3
    assert "= orders 48.50" in said["products"]
    assert "Theirs are 0 of 3 orders and 0 of the 48.50 in revenue; nobody" in said["customers"]


def test_channels_of_some_traffic_sources(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("channels", data_dir=shop)
    assert "Email" in html(test) and '14,007 <span class="change">(+100\xa0%)</span>' in html(test)

    test.multiselect(key="traffic_sources").set_value(["newsletter"]).run()
    assert '<td class="name">Email</td>' in html(test) and "Direct</td>" not in html(test)


def test_products_are_found_by_hostile_text(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("products", data_dir=shop)
    assert "Top 20 [App]" in html(test) and '7,004 <span class="change">(+100\xa0%)</span>' in html(test)

    test.text_input(key="product").set_value("DROP TABLE").run()
    assert "=cmd|&#39; /C calc&#39;!A0 &lt;b&gt;" in html(test) and "p-2" not in html(test)

    test.text_input(key="product").set_value("' OR 1=1 --").run()
    assert "No product with this text" in text(test)


def test_customers_by_city(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("customers", data_dir=shop)

    assert figures(test)["Known customers"][0] == "3" and figures(test)["Bought again"][0] == "50 %"
    assert "one person. Theirs are 4 of 230 orders and 400.00 of the 23,012 in revenue; nobody" in text(test)
    assert "Bots" in text(test)
    assert "Łódź" in html(test) and "City not known" in html(test) and "<b>" not in html(test).replace("<b>'", "")


def test_the_map_has_coastlines_without_a_request_to_another_server(visit: Callable[..., AppTest], shop: Path) -> None:
    (chart,) = charts(visit("customers", data_dir=shop))
    _, land, dots = chart["layer"]
    assert chart["datasets"][land["data"]["name"]]["geometry"]["type"] == "MultiPolygon"
    assert dots["encoding"]["longitude"]["field"] == "longitude" and '"url"' not in json.dumps(chart)


def test_days_without_earlier_ones_are_shown_with_what_some_of_them_lack(
    visit: Callable[..., AppTest], tmp_path: Path
) -> None:
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        fill(session)
        session.execute(
            "UPDATE marts.data_quality_daily SET rows_quarantined = 30 "
            "WHERE source = 'clickstream' AND date >= DATE '2026-11-14'"
        )
    test = visit("overview", data_dir=tmp_path)
    test.button_group(key="period").set_value("All").run()
    said = "there is no earlier data to compare with; but no source brought anything on 8 Nov and 24 % of the records "
    said += "of clickstream were rejected on 14–16 Nov"
    assert said in text(test)


@pytest.mark.parametrize("page", ["overview", "customers"])
def test_pages_on_visitors_and_customers_name_the_days_without_users(
    visit: Callable[..., AppTest], tmp_path: Path, page: str
) -> None:
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        fill(session)
        session.execute(
            "UPDATE marts.data_quality_daily SET empty_columns = CASE "
            "WHEN source = 'clickstream' AND date >= DATE '2026-11-09' THEN 'user_id' ELSE '' END"
        )
    assert "clickstream has no user_id on 9–16 Nov" in text(visit(page, data_dir=tmp_path))


@pytest.mark.parametrize(("page", "column"), [("overview", "add_to_cart events"), ("products", "purchase events")])
def test_what_all_shown_days_lack_and_earlier_ones_have_is_named(
    visit: Callable[..., AppTest], tmp_path: Path, page: str, column: str
) -> None:
    with open_warehouse(load_settings(data_dir=tmp_path)).session() as session:
        fill(session)
        session.execute(
            "UPDATE marts.data_quality_daily SET empty_columns = CASE "
            f"WHEN source = 'clickstream' AND date >= DATE '2026-11-09' THEN '{column}' ELSE '' END"
        )
    assert f"but clickstream has no {column} on 10–16 Nov" in text(visit(page, data_dir=tmp_path))


def test_no_day_is_written_twice_below_the_trend(visit: Callable[..., AppTest], shop: Path) -> None:
    (trend,) = charts(visit("overview", data_dir=shop))
    assert trend["encoding"]["x"]["axis"]["tickMinStep"] == 24 * 60 * 60 * 1000


def test_quality_of_some_sources_and_reasons(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("quality", data_dir=shop)
    said = "Events of bots are in no figure of the shop. Some events have an unknown name and count in sessions and "
    assert f"{said}interactions only." in text(test)
    assert "&#39;wave&#39;, &#39;wiggle&#39; of clickstream" in html(test)
    assert figures(test)["Records"] == ("1,400", "+17 %")
    assert "Records of bots are counted too." in text(test) and "are left out" not in text(test)
    assert figures(test)["Rejected"][0] == "42" and len(test.dataframe[0].value) == 3

    test.button_group(key="sources").set_value(["clickstream"]).run()
    assert figures(test)["Records"][0] == "700" and len(test.dataframe[0].value) == 2

    test.selectbox(key="reason").set_value("timestamp: not a time").run()
    assert test.dataframe[0].value["error_reason"].to_list() == ["client_id: missing; timestamp: not a time"]


def test_the_download_holds_the_chosen_records_whole(monkeypatch: pytest.MonkeyPatch, shop: Path) -> None:
    monkeypatch.setenv("DATA_DIR", str(shop))
    chosen = Chosen(DayRange(FIRST, LAST), None, LAST)
    content = quality.download(chosen, ("clickstream",), "client_id: missing").decode("utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))

    assert [row["position"] for row in rows] == ["1", "2"]
    assert rows[1]["raw"] == harmless(HOSTILE) != HOSTILE


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_warehouse_says_what_to_do(visit: Callable[..., AppTest], tmp_path: Path, page: str) -> None:
    test = visit(page, data_dir=tmp_path)

    assert ["start “Load new data”" in info.value for info in test.info] == [True]


@pytest.fixture(scope="module")
def databases() -> Iterator[tuple[str, str]]:
    """The addresses of an empty warehouse on PostgreSQL, and of a full one."""
    with new_database() as empty, new_database() as full:
        with open_warehouse(load_settings(warehouse_url=full)).session() as session:
            fill(session)
        yield empty, full


@pytest.mark.parametrize("page", PAGES)
def test_postgres_is_shown_too_empty_and_full(
    visit: Callable[..., AppTest], databases: tuple[str, str], tmp_path: Path, page: str
) -> None:
    empty, full = databases
    assert visit(page, data_dir=tmp_path, warehouse_url=empty).info
    test = visit(page, data_dir=tmp_path, warehouse_url=full)
    assert not test.info and "Last data loaded 17 Nov 2026" in text(test)


def test_while_a_run_writes_the_last_figures_are_shown(visit: Callable[..., AppTest], tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)
    with open_warehouse(settings).session() as session:
        fill(session)
    visit("overview", data_dir=tmp_path)
    with _writing(settings.warehouse_path):
        test = visit("overview", data_dir=tmp_path)
    assert "A run is writing: figures are as of" in text(test)
    assert figures(test)["Orders"] == ("140", "+100 %")


def _writing(path: Path) -> subprocess.Popen[str]:
    """A process that has the file and has changed it; ends with the `with` block."""
    script = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); c.execute('CREATE TABLE t AS SELECT 1 AS a');"
        "print('writing', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline()
    return process


def test_without_dagster_the_pipeline_says_so(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("pipeline", data_dir=shop)
    assert ["Dagster does not answer" in warning.value for warning in test.warning] == [True]
    assert "Latest batches" in html(test)

    test.button(key="start").click().run()
    assert ["Dagster does not answer" in error.value for error in test.error] == [True]


def test_a_wrong_setting_is_reported(visit: Callable[..., AppTest], shop: Path) -> None:
    test = visit("overview", data_dir=shop, max_error_rate="much")
    assert "MAX\\_ERROR\\_RATE=much" in test.error[0].value


def test_it_is_served_on_loopback_without_menu_and_without_sending_statistics() -> None:
    served = command("127.0.0.1", 8501)

    assert served[:4] == [sys.executable, "-m", "streamlit", "run"]
    assert "--server.address=127.0.0.1" in served and "--server.port=8501" in served
    assert OPTIONS["browser.gatherUsageStats"] == "false" and OPTIONS["client.toolbarMode"] == "minimal"


def test_streamlit_finds_no_pages_except_those_of_the_app() -> None:
    """Else it would show them, without navigation, when a page is opened by its address first."""
    assert not (APP.parent / "pages").exists()


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("DATA_DIR", "WAREHOUSE_URL", "PARTITION_START"):
        monkeypatch.delenv(name, raising=False)
    yield
