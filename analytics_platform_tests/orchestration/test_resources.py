"""The resources of the code location: what the UI shows of them, and what they open."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pytest

from analytics_platform.orchestration.resources import PostgresWarehouseResource, build_resources
from analytics_platform.settings import Settings, load_settings

SECRET = "hunter#22"
SECRETS = {
    "WAREHOUSE_URL": f"postgresql://ann:{SECRET}@127.0.0.1:9/analytics?sslpassword={SECRET}",
    "SHOP_DATABASE_URL": f"postgresql://ann:{SECRET}@127.0.0.1:9/shop",
    "MONGODB_URI": f"mongodb://ann:{SECRET}@db.example/",
    "USERS_API_URL": f"https://api.example/users?token={SECRET}",
    "USERS_API_AUTHORIZATION": f"Bearer {SECRET}",
    "REDIS_URL": f"redis://:{quote(SECRET)}@cache.example",
    "ALERT_WEBHOOK_URL": f"https://hooks.example/{SECRET}",
    "SMTP_URL": f"smtp://ann:{quote(SECRET)}@mail.example",
    "AWS_SECRET_ACCESS_KEY": SECRET,
}
QUESTION = """{
  repositoriesOrError { ... on RepositoryConnection { nodes { allTopLevelResourceDetails {
    name configuredValues { key value } configFields { name defaultValueAsJson }
  } } } }
  runConfigSchemaOrError(selector: {
    pipelineName: "rebuild_days", repositoryName: "__repository__",
    repositoryLocationName: "analytics_platform.definitions"
  }) { ... on RunConfigSchema {
    rootDefaultYaml allConfigTypes { ... on CompositeConfigType { fields { name defaultValueAsJson } } }
  } }
}"""


def test_the_ui_shows_every_resource_and_no_secret(tmp_path: Path) -> None:
    """GraphQL is asked for all that the Resources page and the launchpad can show; a code server answers."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    command = "from dagster_graphql.cli import main; main()"
    asked = subprocess.run(
        [sys.executable, "-c", command, "-m", "analytics_platform.definitions", "-t", QUESTION],
        capture_output=True,
        text=True,
        env={**os.environ, **SECRETS, "DAGSTER_HOME": str(tmp_path), "DATA_DIR": str(tmp_path / "data")},
    )

    answer = next((line for line in asked.stdout.splitlines() if line.startswith("{")), asked.stderr)
    found = json.JSONDecoder().raw_decode(answer)[0]["data"]  # the code server may log on the same line
    (repository,) = found["repositoriesOrError"]["nodes"]
    shown = {
        each["name"]: {value["key"]: json.loads(value["value"]) for value in each["configuredValues"]}
        for each in repository["allTopLevelResourceDetails"]
    }
    assert shown.keys() == {"settings", "lake", "warehouse", "sqs"}
    assert shown["warehouse"] == {"url": "postgresql://***@127.0.0.1:9/analytics?sslpassword=***"}
    assert shown["settings"]["max_error_rate"] == 0.05
    assert "max_error_rate" in found["runConfigSchemaOrError"]["rootDefaultYaml"]
    assert "hunter" not in asked.stdout + asked.stderr
    assert not (tmp_path / "data").exists()  # a code location that is looked at writes nothing


def _seen(settings: Settings, **config: object) -> Settings:
    """The settings that an asset gets in a run with this configuration of them."""
    seen: list[Settings] = []

    @dg.asset
    def asset(settings: dg.ResourceParam[Settings]) -> None:
        seen.append(settings)

    resources = dict(build_resources(settings))
    assert dg.materialize([asset], resources=resources, run_config={"resources": {"settings": {"config": config}}})
    return seen[0]


def test_a_run_has_the_settings_of_the_code_location_with_its_secrets(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, mongodb_uri=SECRETS["MONGODB_URI"], lake_url=str(tmp_path / "sea"))

    assert _seen(settings) == settings


def test_a_setting_can_be_changed_for_one_run(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path)

    assert _seen(settings, max_error_rate=0.5) == settings.model_copy(update={"max_error_rate": 0.5})


def test_the_password_of_the_warehouse_is_used_for_its_own_address_only(tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path, warehouse_url="postgresql://ann:hunter22@127.0.0.1:9/analytics")
    own = PostgresWarehouseResource(url="postgresql://***@127.0.0.1:9/analytics", settings=settings)
    other = PostgresWarehouseResource(url="postgresql://ann@127.0.0.2:9/analytics", settings=settings)

    urls = [each.warehouse().url for each in (own, other)]  # type: ignore[attr-defined]
    assert urls == [settings.warehouse_url.get_secret_value(), other.url]


@pytest.mark.parametrize("key", ["", "given"])
def test_sqs_is_reached_at_the_endpoint_in_the_region_and_with_the_key_of_the_resource(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    settings = load_settings(
        data_dir=tmp_path, aws_endpoint_url="http://127.0.0.1:9", aws_default_region="eu-north-1", aws_max_attempts=7
    )
    sqs = build_resources(settings)["sqs"]
    if key:
        sqs = type(sqs)(**{**dict(sqs), "aws_access_key_id": key, "aws_secret_access_key": "s"})  # type: ignore[call-overload]

    client = sqs.connect("http://127.0.0.1:9/1/events")._client  # type: ignore[attr-defined]
    _is_configured(client, key)


@pytest.mark.parametrize("key", ["", "given"])
def test_s3_is_reached_at_its_endpoint_in_the_region_and_with_the_key_of_the_resource(
    tmp_path: Path, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    settings = load_settings(
        data_dir=tmp_path,
        lake_url="s3://shop/lake",
        aws_endpoint_url_s3="http://127.0.0.1:9",
        aws_endpoint_url="http://127.0.0.1:8",
        aws_default_region="eu-north-1",
        aws_max_attempts=7,
    )
    lake = build_resources(settings)["lake"]
    if key:
        lake = type(lake)(**{**dict(lake), "aws_access_key_id": key, "aws_secret_access_key": "s"})  # type: ignore[call-overload]
    made = lake.create_resource(dg.build_init_resource_context())  # type: ignore[attr-defined]

    assert str(made.root) == "s3://shop/lake"
    _is_configured(made._bucket._client, key)


def _is_configured(client: Any, key: str) -> None:
    assert client.meta.endpoint_url == "http://127.0.0.1:9"
    assert client.meta.region_name == "eu-north-1"
    assert client.meta.config.retries["total_max_attempts"] == 7
    assert client._request_signer._credentials.access_key == (key or "environment")
