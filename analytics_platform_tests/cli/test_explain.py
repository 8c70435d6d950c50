"""`explain` shows how a model is run, on either warehouse, and changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from analytics_platform.cli.commands import app
from analytics_platform.errors import UserError
from analytics_platform.transform import DayRange, ModelError, find_model
from analytics_platform.warehouse import WarehouseError
from analytics_platform.warehouse.explain import explain_model
from analytics_platform_tests.kit import Platform, build, click, contents, load_rows, needed, open_platform
from analytics_platform_tests.postgres import new_database

FIRST, LAST = dt.date(2024, 3, 1), dt.date(2024, 3, 3)
MODELS = ("marts.daily_trends", "marts.attribution", "marts.bought_together", "marts.customer_rfm", "star.dim_date")
"""By days, with a parameter, by touched keys, whole, without an input."""


@pytest.fixture(scope="module", params=["duckdb", "postgresql"])
def platform(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    root = tmp_path_factory.mktemp("platform")
    if request.param == "duckdb":
        yield _filled(open_platform(root))
        return
    with new_database() as url:
        yield _filled(open_platform(root, warehouse_url=url))


def _filled(platform: Platform) -> Platform:
    data = {"transaction_id": "T1", "revenue": 10, "items": [{"item_id": "p1"}, {"item_id": "p2"}]}
    rows = [click("ada", f"{day}T10:00:00Z", "checkout_completed", data=data) for day in (FIRST, LAST)]
    with platform.session() as session:
        load_rows(platform, session, rows)
        build(session, DayRange(FIRST, LAST), platform.settings, needed(*MODELS))
    return platform


def _explain(platform: Platform, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.setenv("DATA_DIR", str(platform.settings.data_dir))
    monkeypatch.setenv("WAREHOUSE_URL", platform.settings.warehouse_url.get_secret_value())
    return CliRunner().invoke(app, ["explain", *arguments])


@pytest.mark.parametrize("name", MODELS)
def test_every_kind_of_model_is_explained_and_nothing_changes(platform: Platform, name: str) -> None:
    with platform.session(read_only=True) as session:
        before = contents(session)
        explained = explain_model(session, find_model(name), None, platform.settings.model_values)
        assert contents(session) == before
    assert explained.days == (None if name == "marts.customer_rfm" else DayRange(LAST, LAST))
    *reads, run = explained.plans
    assert run.step == "DuckDB runs the model" and "Total Time" in run.text
    read = [step.step for step in reads]
    is_server = platform.settings.is_on_postgres
    assert sorted(read) == [f"PostgreSQL reads {table}" for table in explained.model.inputs if is_server]
    assert all("actual time" in step.text for step in reads)


def test_the_command_names_table_days_and_warehouse(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = _explain(platform, monkeypatch, "daily_trends", "--days", f"{FIRST}...{LAST}")
    assert ended.exit_code == 0, ended.output
    assert ended.output.startswith(f"marts.daily_trends, {FIRST}...{LAST}, in ")
    assert not platform.settings.is_on_postgres or "PostgreSQL reads star.fact_sessions" in ended.output
    assert "DuckDB runs the model" in ended.output


def test_a_mart_needs_no_schema_and_others_do() -> None:
    assert find_model("customer_rfm").name == "marts.customer_rfm"
    assert find_model("star.fact_orders").name == "star.fact_orders"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("custmer_rfm", "did you mean marts.customer_rfm"),
        ("marts.attributions", "did you mean marts.attribution"),
        ("fact_orders", "did you mean star.fact_orders or"),
        ("'; DROP TABLE x", "the tables are listed in the README."),
    ],
)
def test_an_unknown_table_is_one_sentence_with_tables_like_it(name: str, hint: str) -> None:
    with pytest.raises(ModelError) as error:
        find_model(name)
    assert str(error.value).startswith(f"There is no model of a table {name!r}: {hint}")


@pytest.mark.parametrize("days", ["soon", "2024-03-03...2024-03-01", "2024-03-01..2024-03-03"])
def test_invalid_days_are_rejected(platform: Platform, monkeypatch: pytest.MonkeyPatch, days: str) -> None:
    ended = _explain(platform, monkeypatch, "daily_trends", "--days", days)
    assert isinstance(ended.exception, UserError)
    assert "is no range of days" in str(ended.exception)


def test_before_the_tables_are_built_it_says_what_to_do(tmp_path: Path) -> None:
    platform = open_platform(tmp_path)
    with platform.session() as session, pytest.raises(WarehouseError, match="materialize the assets first"):
        explain_model(session, find_model("customer_rfm"), None, platform.settings.model_values)
