from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.catalog import CONTRACTS
from analytics_platform.orchestration.assets.looks import HIDDEN, PLOTS, looks, preview
from analytics_platform.warehouse import Session
from analytics_platform_tests.kit import built_platform, click, open_platform
from analytics_platform_tests.postgres import new_database


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    rows = [click(f"c{n}", f"2024-03-0{1 + n % 3}T10:00:00") for n in range(12)]
    with built_platform(tmp_path_factory.mktemp("platform"), rows) as opened:
        yield opened


@pytest.mark.parametrize("table", PLOTS)
def test_a_mart_shows_its_first_rows_and_a_plot_if_it_has_rows(session: Session, table: str) -> None:
    shown = looks(session, table)

    records = shown["preview"]
    assert isinstance(records, dg.TableMetadataValue)
    assert len(records.records) == min(5, session.count(table))
    assert ("plot" in shown) == (session.count(table) > 0)


def test_a_mart_of_what_only_bots_saw_is_shown_too(tmp_path: Path) -> None:
    data = {"item_list_name": "Deals", "items": [{"item_id": "A", "price": 1}]}
    names = ("page_view", "view_item_list", "view_item")
    rows = [click("r", f"2024-03-01T10:00:0{n}", name, data=data) for n, name in enumerate(names)]
    with built_platform(tmp_path, [row | {"user_agent": "Googlebot/2.1"} for row in rows]) as session:
        assert session.count("marts.list_performance") == 1
        assert "plot" not in looks(session, "marts.list_performance")
        assert all("preview" in looks(session, table) for table in PLOTS)


def test_plots_and_previews_work_on_postgresql_too(tmp_path: Path) -> None:
    with new_database() as url, open_platform(tmp_path, warehouse_url=url).session() as session:
        for table in PLOTS:
            session.ensure(CONTRACTS[table])
            assert "plot" not in looks(session, table)


def test_personal_columns_are_not_copied_into_the_event_log(tmp_path: Path) -> None:
    with open_platform(tmp_path).session() as session:
        session.ensure(CONTRACTS["cleaned.users"])
        session.execute("INSERT INTO cleaned.users (email, name) VALUES ('ann@shop.example', 'Ann')")
        shown = preview(session, "cleaned.users")

    assert isinstance(shown, dg.TableMetadataValue)
    assert shown.records[0].data["email"] == HIDDEN
    assert shown.records[0].data["name"] == HIDDEN
    assert "Ann" not in str(shown)
