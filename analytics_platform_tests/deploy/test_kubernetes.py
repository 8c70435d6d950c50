"""What Kubernetes is given: manifests and values of Dagster's chart are valid, without rights and without secrets."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster_shared.version import __version__ as dagster_version

from analytics_platform.settings import Settings

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
VALUES: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "helm-values.yaml").read_text("utf-8"))
INSTANCE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text("utf-8"))

_POD = {"image", "podSecurityContext", "securityContext", "resources"}
TAKEN: Mapping[str, set[str]] = MappingProxyType(
    {
        "": {
            "additionalInstanceConfig",
            "dagster-user-deployments",
            "dagsterDaemon",
            "dagsterWebserver",
            "generatePostgresqlPasswordSecret",
            "global",
            "postgresql",
            "retention",
            "runLauncher",
            "telemetry",
        },
        "global": {"dagsterHome", "postgresqlSecretName", "serviceAccountName"},
        "postgresql": {
            "enabled",
            "postgresqlDatabase",
            "postgresqlHost",
            "postgresqlParams",
            "postgresqlScheme",
            "postgresqlUsername",
            "service",
        },
        "dagsterWebserver": _POD | {"env", "envSecrets", "labels", "replicaCount", "service"},
        "dagster-user-deployments": {"deployments", "enabled", "imagePullSecrets"},
        "dagster-user-deployments.deployments": _POD
        | {
            "codeServerArgs",
            "env",
            "envSecrets",
            "includeConfigInLaunchedRuns",
            "labels",
            "livenessProbe",
            "name",
            "port",
            "readinessProbe",
            "volumeMounts",
            "volumes",
        },
        "runLauncher": {"config", "type"},
        "runLauncher.config.k8sRunLauncher": {"envSecrets", "imagePullPolicy", "resources", "runK8sConfig", "volumes"},
        "runLauncher.config.k8sRunLauncher.runK8sConfig": {
            "containerConfig",
            "jobMetadata",
            "jobSpecConfig",
            "podSpecConfig",
            "podTemplateSpecMetadata",
        },
        "dagsterDaemon": _POD | {"env", "envSecrets", "labels", "runCoordinator", "runMonitoring", "runRetries"},
        "dagsterDaemon.runCoordinator": {"config", "enabled", "type"},
        "retention": {"autoMaterialize", "enabled", "schedule", "sensor"},
        "telemetry": {"enabled"},
    }
)
"""Of the names that the chart's values.schema.json has, those that may be needed here. It refuses most others."""


def at(path: str) -> list[dict[str, Any]]:
    """The values at a path, of each element where they are a list."""
    found: Any = VALUES
    for name in filter(None, path.split(".")):
        found = found[name]
    return found if isinstance(found, list) else [found]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each Deployment's name, and what its pod is to be."""
    for path in MANIFESTS:
        for resource in yaml.safe_load_all(path.read_text("utf-8")):
            if resource["kind"] == "Deployment":
                yield resource["metadata"]["name"], resource["spec"]["template"]["spec"]


PODS = dict(pods())


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_one_by_kubernetes_own_schema(path: Path) -> None:
    command = [str(Path(sys.executable).parent / "kubernetes-validate"), "--strict", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", TAKEN)
def test_the_chart_has_each_value_by_this_name(path: str) -> None:
    for values in at(path):
        assert set(values) <= TAKEN[path]


def test_the_chart_has_the_version_of_dagster_that_is_installed() -> None:
    text = (ROOT / "deploy" / "helm-values.yaml").read_text("utf-8")
    locked = re.search(r"^dagster==(\S+)", (ROOT / "deploy" / "requirements.lock").read_text("utf-8"), re.MULTILINE)
    assert locked and f"--version {locked[1]} " in text
    assert locked[1] == dagster_version


def test_dagster_has_the_same_limits_with_the_chart_as_without() -> None:
    passed_on = VALUES["additionalInstanceConfig"]
    assert passed_on == {name: INSTANCE[name] for name in passed_on}
    camels = re.sub(r"_(\w)", lambda found: found[1].upper(), yaml.safe_dump(INSTANCE["retention"]))
    assert VALUES["retention"] == {"enabled": True, **yaml.safe_load(camels)}
    camels = re.sub(r"_(\w)", lambda found: found[1].upper(), yaml.safe_dump(INSTANCE["run_monitoring"]))
    assert VALUES["dagsterDaemon"]["runMonitoring"] == yaml.safe_load(camels)


def test_dagster_starts_with_what_the_chart_passes_on(tmp_path: Path) -> None:
    config = {"run_monitoring": INSTANCE["run_monitoring"], **VALUES["additionalInstanceConfig"]}
    tmp_path.joinpath("dagster.yaml").write_text(yaml.safe_dump(config), "utf-8")
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.get_concurrency_config().run_queue_config is not None
    assert VALUES["dagsterDaemon"]["runCoordinator"]["enabled"] is False


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_rights_and_says_what_it_needs(name: str) -> None:
    pod = PODS[name]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert {"cpu", "memory"} <= set(container["resources"]["requests"])
    assert "memory" in container["resources"]["limits"]
    assert "livenessProbe" in container
    assert re.search(r":\d+\.\d+", container["image"])


@pytest.mark.parametrize("path", ["dagsterWebserver", "dagsterDaemon", "dagster-user-deployments.deployments"])
def test_processes_of_dagster_have_no_rights_either(path: str) -> None:
    for values in at(path):
        assert values["podSecurityContext"]["runAsNonRoot"]
        assert values["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_no_secret_stands_in_a_file_and_each_name_is_a_setting() -> None:
    """Values come from Secrets; what is written out is no secret, and the platform or Dagster reads it."""
    given = [*VALUES["dagster-user-deployments"]["deployments"][0]["env"].items()]
    for pod in PODS.values():
        given += [(each["name"], each.get("value")) for each in pod["containers"][0].get("env", ())]
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    for name, value in given:
        assert name.lower() in Settings.model_fields or name.startswith("DAGSTER_"), name
        assert value is None or name.lower() not in secret, name
    text = "".join(path.read_text("utf-8") for path in [*MANIFESTS, ROOT / "deploy" / "helm-values.yaml"])
    assert not re.search(r"kind: Secret\b|postgresqlPassword:|://[^/\s]*:[^/\s]*@", text)


def test_all_name_the_same_image_and_folder() -> None:
    image = VALUES["dagsterWebserver"]["image"]
    ours = f"{image['repository']}:{image['tag']}"
    assert {PODS[name]["containers"][0]["image"] for name in ("follow", "dashboard")} == {ours}
    claims = {
        volume["persistentVolumeClaim"]["claimName"] for pod in PODS.values() for volume in pod.get("volumes", ())
    }
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert claims == {volume["persistentVolumeClaim"]["claimName"] for volume in deployment["volumes"]}
