"""The demo on all sources, small: what people run first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import duckdb

from analytics_platform.demo.simulator.catalogue import VERSIONS

DEMO = "from analytics_platform.cli.main import main; main()"


def run_demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DEMO, "demo", *arguments]
    environment = {**os.environ, "DATA_DIR": str(folder), "COLUMNS": "200"}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600, check=False, umask=0o022
    )


def test_the_tables_of_all_sources_say_what_the_simulator_says_and_the_queue_is_empty(tmp_path: Path) -> None:
    # With fewer visitors the logs have none of some kinds of broken documents.
    ran = run_demo(tmp_path / "demo", "--days", "3", "--visitors", "150")

    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    assert "≠" not in ran.stdout
    assert "After the data that arrived on time" in ran.stdout and "After the late data" in ran.stdout
    assert "All figures are equal to the truth." in ran.stdout
    for source in ("clickstream", "ecommerce_events", "web_logs", "users"):
        assert source in ran.stdout
    assert "The queue is empty." in ran.stdout
    shared = [path for path in [tmp_path / "demo", *(tmp_path / "demo").rglob("*")] if path.lstat().st_mode & 0o077]
    assert not [path for path in shared if not path.is_symlink()]
    assert_questions_are_answered(tmp_path / "demo" / "warehouse.duckdb")


QUESTION = re.compile(r"^### (.*?)\n.*?```sql\n(.*?)```", re.DOTALL | re.MULTILINE)
QUESTIONS = QUESTION.findall(Path(__file__).parents[2].joinpath("docs", "questions.md").read_text("utf-8"))


def assert_questions_are_answered(warehouse: Path) -> None:
    """Each question of docs/questions.md has an answer, in at most 25 lines, that adds up to the facts."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        answers = {title: connection.sql(sql).pl() for title, sql in QUESTIONS}
        sold, net, orders = connection.execute(
            "SELECT sum(revenue), sum(net_revenue), count(*) FROM star.fact_orders"
        ).fetchone() or (None, None, None)
        (itemized,) = connection.execute("SELECT sum(revenue) FROM marts.product_daily").fetchone() or (None,)
        last_fortnight = connection.execute(
            "SELECT sum(net_revenue) FROM star.fact_orders "
            "WHERE order_date > (SELECT max(order_date) - 14 FROM star.fact_orders)"
        ).fetchone()
    assert len(answers) == 24
    assert not [title for title, sql in QUESTIONS if len(sql.strip().splitlines()) > 25]
    assert not [title for title, answer in answers.items() if answer.is_empty()]
    week = answers["Revenue by channel and device, against the week before"]
    of_customers = answers["Revenue of new and returning customers"]
    by_hour = answers["Orders by hour of the week, in the shop's time"]
    campaigns = answers["Campaigns by the value of the customers they brought"]
    assert week["last_7_days"].sum() + week["the_7_before"].sum() == (last_fortnight or [None])[0]
    assert of_customers["net_revenue"].sum() == net
    assert of_customers["revenue"].sum() == by_hour["revenue"].sum() == sold
    assert of_customers["orders"].sum() == by_hour["orders"].sum() == orders
    assert (
        campaigns["net_revenue"].sum()
        == answers["Value by month of the first order and first channel"]["net_revenue"].sum()
    )
    assert Decimal(0) < net < sold
    cohorts = answers["Value by month of the first order and first channel"]["cohort"]
    repeats = answers["Customers who order again within 30 days"].row(0, named=True)
    assert cohorts.n_unique() > 1 and repeats["customers"] > 0
    out_of_stock = answers["Products out of stock, by views"]
    assert {*out_of_stock["product_name"]} == {VERSIONS[2][0]}
    assert out_of_stock["date"].n_unique() > 1 and out_of_stock["views"].sum() > 0
    by_day, by_product = answers["Products out of stock, by day"], answers["Days out of stock, by product"]
    days = (by_day["date"].max() - by_day["date"].min()).days + 1
    assert by_day.height == by_product["days_out_of_stock"].sum() == days > out_of_stock.height
    assert by_day["views_of_these"].sum() == out_of_stock["views"].sum()
    variants = answers["Products and their variants"]
    of_products = variants.unique(["product_id", "revenue_of_product"])["revenue_of_product"].sum()
    assert variants["revenue"].sum() == of_products == itemized and variants["variant"].n_unique() > 1
    assert answers["Promotions by click rate"]["clicked"].sum() > 0


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine", "utf-8")

    ran = run_demo(tmp_path)

    assert ran.returncode != 0
    assert "has other data" in ran.stderr and "Traceback" not in ran.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
