"""Dockerfile and compose.yaml: valid, and each command in them exists with its options."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"] == "analytics-platform"}


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
    images += [service["image"] for name, service in COMPOSE["services"].items() if name not in OURS]
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

    image = versions("deploy/requirements.lock")
    assert image and image <= versions("requirements.lock")
