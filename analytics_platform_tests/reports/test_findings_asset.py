"""The asset writes the report into DATA_DIR and shows its plots in the UI."""

from pathlib import Path

import dagster as dg
import pytest

from analytics_platform.orchestration.assets.reports import findings
from analytics_platform.orchestration.assets.tables import POOL
from analytics_platform.orchestration.resources import build_resources
from analytics_platform.settings import Settings, load_settings
from analytics_platform_tests.reports.examples import add, fill, warehouse

KEY = dg.AssetKey(["reports", "findings"])


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name in ("WAREHOUSE_URL", "LAKE_URL", "LANDING_DIR", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    return load_settings(data_dir=tmp_path / "data")


def materialize(settings: Settings) -> dict[str, dg.MetadataValue]:
    result = dg.materialize([findings], resources=dict(build_resources(settings)))
    assert result.success
    (event,) = result.get_asset_materialization_events()
    return dict(event.materialization.metadata)


def test_the_report_is_written_and_its_plots_are_shown(settings: Settings) -> None:
    settings.data_dir.mkdir()
    with warehouse(settings.warehouse_path) as session:
        fill(session)
    metadata = materialize(settings)
    folder = settings.reports_dir
    assert sorted(str(file.relative_to(folder)) for file in folder.rglob("*.*")) == [
        "findings.html", "findings.md", "plots/attribution.png", "plots/customers.png", "plots/daily_trends.png",
        "plots/data_quality.png", "plots/devices.png", "plots/funnel.png", "plots/orphans.png",
        "plots/product_lists.png", "plots/top_products.png", "plots/view_to_purchase.png",
    ]  # fmt: skip
    plots = [value.value for value in metadata.values() if isinstance(value, dg.MarkdownMetadataValue)]
    assert len(plots) == 10
    assert all("](data:image/png;base64," in str(plot) and len(str(plot)) < 60_000 for plot in plots)
    assert metadata["findings.html"] == dg.MetadataValue.path(folder.resolve() / "findings.html")
    assert metadata["findings.md"] == dg.MetadataValue.path(folder.resolve() / "findings.md")
    assert metadata["revenue"] == dg.MetadataValue.text("18,518")


def test_without_a_warehouse_the_report_says_that_there_is_no_data(settings: Settings) -> None:
    materialize(settings)
    assert "There is no data yet" in (settings.reports_dir / "findings.md").read_text()
    materialize(settings)


def test_files_and_batches_that_were_not_read_are_named_and_qualify_every_sentence(settings: Settings) -> None:
    folder = settings.landing_dir / "clickstream"
    folder.mkdir(parents=True)
    (folder / "late.tsv").write_text("event_id\tclient_id\n1\t2\n")
    (folder / "sales.csv").write_text("name,amount\nx,1\n")
    materialize(settings)
    without_data = (settings.reports_dir / "findings.md").read_text()
    assert "/late.tsv: " in without_data and "/sales.csv: " in without_data
    with warehouse(settings.warehouse_path) as session:
        fill(session)
        add(
            session,
            "ops.set_aside",
            batch_id="b7",
            source="web_logs",
            input="x.bson",
            state="failed",
            reason="cut off",
            decided_by=None,
        )
    metadata = materialize(settings)
    said = "not all files and batches of clickstream and web_logs were read"
    for title in ("Daily trends", "Funnel", "Devices", "Top products", "Most active customers"):
        assert said in str(metadata[title].value), title
    assert str(metadata["Not fully counted"].value).startswith("Some files or batches were not read")
    report = (settings.reports_dir / "findings.html").read_text()
    for named in ("/late.tsv: ", "/sales.csv: ", "Batch b7 (x.bson) of web_logs is not loaded: cut off"):
        assert named in report


def test_the_asset_is_described_like_every_other() -> None:
    spec = findings.get_asset_spec(KEY)
    assert spec.group_name == "reports" and list(spec.owners) == ["team:analytics"]
    assert spec.kinds == {"markdown", "matplotlib"} and spec.tags["layer"] == "reports"
    assert spec.description and "dagster/code_references" in spec.metadata
    assert spec.partitions_def is None and findings.backfill_policy == dg.BackfillPolicy.single_run()
    assert findings.op.pool == POOL


def test_it_depends_on_all_it_reads() -> None:
    deps = {"/".join(dep.asset_key.path) for dep in findings.get_asset_spec(KEY).deps}
    assert deps == {
        "marts/daily_trends", "marts/funnel_daily", "marts/attribution", "marts/device_daily",
        "marts/product_daily", "marts/data_quality_daily", "marts/unknown_amounts", "marts/order_reconciliation",
        "marts/list_performance", "marts/product_performance", "marts/user_metrics",
        "cleaned/events", "cleaned/users", "cleaned/daily_rates",
        "star/dim_product", "star/fact_sessions", "star/fact_order_items", "star/fact_refunds", "cleaned/clickstream",
        "cleaned/ecommerce_events", "cleaned/ga4_events", "cleaned/web_logs", "cleaned/user_versions",
        "cleaned/customer_versions", "cleaned/product_versions", "cleaned/order_versions",
        "cleaned/order_item_versions", "cleaned/exchange_rate_versions",
    }  # fmt: skip
