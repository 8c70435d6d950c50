from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from analytics_platform.cli.reference import env_example
from analytics_platform.settings import Settings, load_settings

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "analytics_platform"


def _read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def _assignments() -> dict[str, str]:
    lines = [line for line in _read(".env.example").splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def test_the_example_of_an_environment_is_up_to_date() -> None:
    """If this fails: run `analytics-platform reference`."""
    assert _read(".env.example") == env_example()


def test_the_example_of_an_environment_has_every_setting_and_nothing_else() -> None:
    assert list(_assignments()) == [name.upper() for name in Settings.model_fields]


def test_the_example_of_an_environment_changes_no_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _assignments():
        monkeypatch.delenv(name, raising=False)
    defaults = load_settings()

    for name, value in _assignments().items():
        monkeypatch.setenv(name, value)

    assert load_settings() == defaults


def test_the_workflow_installs_the_lock_builds_and_monitors() -> None:
    workflow = yaml.safe_load(_read("docs/examples/github-actions.yml"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = "\n".join(step.get("run", "") for step in steps)
    order = [
        "--require-hashes -r requirements.lock",
        "/landing/clickstream/",
        "dagster asset materialize --select '*' --partition-range",
        "analytics-platform monitor",
    ]

    assert [part for part in order if part not in commands] == []
    assert sorted(order, key=commands.index) == order
    assert set(workflow["env"]) <= {name.upper() for name in Settings.model_fields}
    assert "${{" not in commands, "an input inside a script could run as one: pass it by env"


def test_the_changelog_names_the_version_of_the_package() -> None:
    version = re.search(r'^version = "(.+)"$', _read("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert f"\n## {version[1]} - " in _read("CHANGELOG.md")
    assert "\n## Unreleased\n" in _read("CHANGELOG.md")


def test_the_pages_for_contributors_link_to_files_that_exist() -> None:
    for page in ("CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)#\s]+)", _read(page)):
            assert "://" in target or (ROOT / target).exists(), f"{page}: {target}"


def test_the_architecture_names_every_folder_of_the_package() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")} | {"models"}
    named = set(re.findall(r"^\| `(\w+)/` \|", _read("docs/architecture.md"), re.MULTILINE))
    assert named == folders


def test_the_architecture_names_only_files_that_exist() -> None:
    named = re.findall(r"`([\w/]+/(?:[\w/]*\.(?:py|sql))?)`", _read("docs/architecture.md"))
    roots = (PACKAGE, ROOT)
    assert [name for name in named if name.endswith((".py", ".sql")) and not (PACKAGE / name).is_file()] == []
    assert [name for name in named if name.endswith("/") and not any((root / name).is_dir() for root in roots)] == []


def test_the_architecture_lists_the_layers_of_the_import_contract_in_their_order() -> None:
    layers = tomllib.loads(_read("pyproject.toml"))["tool"]["importlinter"]["contracts"][0]["layers"]
    written = re.findall(r"^ +\d+\. (.+)$", _read("docs/architecture.md"), re.MULTILINE)
    assert [re.findall(r"`(\w+)`", line) for line in written] == [
        re.findall(r"analytics_platform\.(\w+)", layer) for layer in layers
    ]


def test_the_readme_lists_every_mart() -> None:
    section = _read("README.md").partition("\n## The tables\n")[2].partition("\n## ")[0]
    marts = {path.stem for path in (PACKAGE / "models" / "marts").glob("*.sql")}
    assert marts - set(re.findall(r"`(?:marts\.)?(\w+)`", section)) == set()


def test_the_glossary_is_in_order() -> None:
    terms = re.findall(r"^\| ([\w -]+) \|", _read("docs/glossary.md"), re.MULTILINE)[1:]
    assert terms == sorted(terms)


def test_no_two_classes_of_the_package_have_the_same_name() -> None:
    package = ROOT / "analytics_platform"
    trees = [ast.parse(path.read_text("utf-8")) for path in package.rglob("*.py")]
    names = Counter(node.name for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef))
    assert [name for name, count in names.items() if count > 1] == []
