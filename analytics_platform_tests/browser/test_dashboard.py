"""A person with only a browser loads a file, builds its days, sees figures, and downloads rejected records."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from analytics_platform.reports.dashboard.serve import command
from analytics_platform_tests.end_to_end.platform_run import clickstream
from analytics_platform_tests.reports.dashboard.servers import dagster_webserver, free_port, serving

DAY = dt.datetime.now(dt.UTC).date() - dt.timedelta(days=2)
PAGES = ("Overview", "Channels", "Products", "Customers", "Data quality", "Pipeline")
RUN_MS = 600_000
LOOK_MS = 30_000


@dataclass
class Visitor:
    """A page of the browser at the dashboard, and what its console said."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def visit(self, name: str) -> None:
        """Go to a page by its name in the navigation."""
        self.page.get_by_test_id("stTopNavLinkContainer").filter(has_text=name).click()
        expect(self.page.get_by_role("heading", name=name, exact=True, level=1)).to_be_visible(timeout=LOOK_MS)
        self.settle()

    def settle(self) -> None:
        """Wait until everything is drawn."""
        self.page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=LOOK_MS)

    def figure(self, name: str) -> str:
        """The value of a key figure."""
        metric = self.page.get_by_test_id("stMetric").filter(has_text=name)
        return metric.get_by_test_id("stMetricValue").inner_text()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The dashboard of an empty platform in whose landing folder a file waits, with Dagster beside it."""
    folder = tmp_path_factory.mktemp("platform")
    landing = folder / "landing" / "clickstream"
    landing.mkdir(parents=True)
    (landing / "visits.csv").write_text(clickstream(300, without_client=9, day=str(DAY)))
    environment = {"DATA_DIR": str(folder), "PARTITION_START": str(DAY - dt.timedelta(days=3))}
    with dagster_webserver(folder, ["-m", "analytics_platform.definitions"], environment) as dagster:
        url = f"http://127.0.0.1:{(port := free_port())}"
        own = {**environment, "DAGSTER_URL": dagster}
        with serving(command("127.0.0.1", port), f"{url}/_stcore/health", folder / "dashboard.log", own):
            yield url


@pytest.fixture(scope="module")
def visitor(browser: Browser, address: str) -> Iterator[Visitor]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    found = Visitor(page)
    page.on("console", lambda said: found.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: found.complaints.append(str(error)))
    page.goto(address)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible(timeout=LOOK_MS)
    yield found
    page.close()


def test_an_empty_platform_says_what_to_do(visitor: Visitor) -> None:
    expect(visitor.page.get_by_text("There is nothing to show yet")).to_be_visible(timeout=LOOK_MS)


def test_a_run_loads_the_file_and_shows_its_log_to_the_end(visitor: Visitor) -> None:
    visitor.visit("Pipeline")
    visitor.page.get_by_role("button", name="Start", exact=True).click()

    log = visitor.page.locator(".log").first
    expect(log).to_contain_text("cleaned.clickstream", timeout=RUN_MS)
    expect(visitor.page.get_by_text("Load new data: succeeded")).to_be_visible(timeout=RUN_MS)
    expect(log).to_contain_text("Finished execution of run")
    expect(visitor.page.get_by_role("heading", name="New figures")).to_be_visible(timeout=RUN_MS)


def test_rebuilding_the_days_of_the_file_gives_new_figures(visitor: Visitor) -> None:
    visitor.page.get_by_role("radio", name="Rebuild days").or_(
        visitor.page.get_by_role("button", name="Rebuild days")
    ).first.click()
    expect(visitor.page.get_by_test_id("stDateInput")).to_be_visible(timeout=LOOK_MS)
    visitor.settle()
    visitor.page.get_by_role("button", name="Start", exact=True).click()
    expect(visitor.page.get_by_text(f"Rebuild days {DAY}: succeeded")).to_be_visible(timeout=RUN_MS)

    visitor.visit("Overview")
    visitor.page.get_by_text("All", exact=True).click()
    sessions = visitor.page.get_by_test_id("stMetric").filter(has_text="Sessions")
    expect(sessions.get_by_test_id("stMetricValue")).to_have_text("10", timeout=LOOK_MS)


def test_the_rejected_records_are_filtered_and_downloaded(visitor: Visitor, tmp_path: Path) -> None:
    visitor.visit("Data quality")
    assert visitor.figure("Rejected") == "9"
    expect(visitor.page.get_by_test_id("stDownloadButton")).to_be_visible(timeout=LOOK_MS)
    visitor.page.get_by_test_id("stButtonGroup").get_by_text("clickstream", exact=True).click()
    visitor.page.wait_for_timeout(500)
    visitor.settle()
    with visitor.page.expect_download(timeout=LOOK_MS) as download:
        visitor.page.get_by_test_id("stDownloadButton").get_by_role("button").click()
    path = tmp_path / "quarantine.csv"
    download.value.save_as(path)

    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert {row["error_reason"] for row in rows} == {"client_id: missing"}
    assert all(row["raw"].startswith(",https://shop.example/") for row in rows)


@pytest.mark.parametrize("width", [1440, 390])
def test_no_page_is_wider_than_the_screen(visitor: Visitor, width: int) -> None:
    wider = []
    for name in PAGES:
        visitor.page.set_viewport_size({"width": 1440, "height": 900})
        visitor.visit(name)
        visitor.page.set_viewport_size({"width": width, "height": 844})
        visitor.page.wait_for_timeout(500)  # charts follow the width
        measure = "page => page.scrollWidth - page.clientWidth"
        if visitor.page.get_by_test_id("stMain").evaluate(measure) > 0:
            wider.append(name)
    assert not wider


def test_the_console_stayed_quiet(visitor: Visitor) -> None:
    assert visitor.complaints == []
