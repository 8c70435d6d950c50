"""Dockerfile and compose.yaml: valid, and each command in them exists with its options."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from pydantic import SecretStr

from analytics_platform.settings import load_settings
from analytics_platform_tests.moto_server import serve_moto

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
BUILT = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
PROGRAM = ["python", "-c"]
OURS = {name: each for name, each in BUILT.items() if each.get("entrypoint") != PROGRAM and "command" in each}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def test_the_dockerfile_has_no_fault_that_hadolint_knows() -> None:
    ran = run(str(BIN / "hadolint"), "Dockerfile")
    assert ran.returncode == 0, ran.stdout


def test_the_compose_file_is_one_by_its_specification() -> None:
    ran = run(str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "compose.yaml")
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_service_exists_with_its_options(name: str) -> None:
    service = OURS[name]
    words = [*service.get("entrypoint", ["analytics-platform"]), *service["command"]]
    if words[0] == "/bin/sh":
        words = re.findall(r"^analytics-platform .*", words[-1], re.MULTILINE)[0].split()
    options = [word for word in words if word.startswith("--")]
    commands = words[: words.index(options[0])] if options else words
    command = [sys.executable, "-m", "analytics_platform.cli.main"]
    program = command if commands[0] == "analytics-platform" else [str(BIN / commands[0])]
    ran = run(*program, *commands[1:], "--help")
    assert ran.returncode == 0, ran.stderr
    assert [option for option in options if option not in ran.stdout] == []


def test_only_webserver_and_dashboard_are_reached_from_outside_and_on_loopback_only() -> None:
    ports = {name: service["ports"] for name, service in COMPOSE["services"].items() if "ports" in service}
    assert ports == {"webserver": ["127.0.0.1:3000:3000"], "dashboard": ["127.0.0.1:8501:8501"]}


def test_every_image_has_an_exact_version() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    images = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    images += [service["image"] for name, service in COMPOSE["services"].items() if name not in BUILT]
    assert images and all(re.search(r":[0-9]+\.[0-9]+", image) for image in images)


def test_the_image_gets_the_files_that_it_copies_and_no_others() -> None:
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)
    assert kept == {path for line in copied for path in line.split()}
    assert all((ROOT / path).exists() for path in kept)


def test_the_image_has_the_versions_that_are_tested() -> None:
    def versions(path: str) -> set[str]:
        return set(re.findall(r"^\S+==\S+", (ROOT / path).read_text("utf-8"), re.MULTILINE))

    tested = versions("requirements.lock")
    for lock in ("deploy/requirements.lock", "deploy/sail.lock"):
        assert versions(lock) and versions(lock) <= tested, lock


def test_the_bucket_of_the_lake_is_made_once() -> None:
    (program,) = COMPOSE["services"]["bucket"]["command"]
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
    with serve_moto() as endpoint:
        environment = {**os.environ, **keys, "AWS_ENDPOINT_URL_S3": endpoint, "LAKE_URL": "s3://made-once/lake"}
        for _ in range(2):
            command = [sys.executable, "-c", program]
            ran = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert ran.returncode == 0, ran.stderr
        program = "import boto3; print([bucket['Name'] for bucket in boto3.client('s3').list_buckets()['Buckets']])"
        ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    assert "'made-once'" in ran.stdout, ran.stderr


def test_the_example_of_a_lake_in_a_bucket_has_settings_the_platform_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "deploy" / "lake.env.example").read_text("utf-8")
    example = dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))
    assert set(example.pop("COMPOSE_PROFILES").split(",")) <= {*_profiles()}
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):  # those of the SDK
        assert example.pop(name) == "", "no secret stands in a file of the project"
    for name, value in example.items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    shown = {name: getattr(settings, name.lower()) for name in example}
    given = {name: each.get_secret_value() if isinstance(each, SecretStr) else each for name, each in shown.items()}
    assert given == example
    hosts = {urlsplit(example[name]).hostname for name in ("SPARK_REMOTE", "AWS_ENDPOINT_URL_S3")}
    assert hosts <= {*COMPOSE["services"]}


def _profiles() -> list[str]:
    return [profile for service in COMPOSE["services"].values() for profile in service.get("profiles", ())]


def test_the_server_of_spark_connect_in_the_image_has_the_options_it_is_started_with() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    (entrypoint,) = re.findall(r'^ENTRYPOINT (\["sail".*\])$', dockerfile, re.MULTILINE)
    command, *words = json.loads(entrypoint)
    options = [word for word in words if word.startswith("--")]
    ran = run(str(BIN / command), *words[: words.index(options[0])], "--help")
    assert ran.returncode == 0 and all(option in ran.stdout for option in options), ran.stdout
