from __future__ import annotations

import re
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from analytics_platform.catalog import CONTRACTS
from analytics_platform.cli.athena import create_external_table
from analytics_platform.cli.reference import pages
from analytics_platform.settings import Settings, SettingsError, load_settings
from analytics_platform.sources.registry import SOURCES
from analytics_platform_tests.end_to_end.platform_run import HEADER

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", ["data_dictionary.md", "star.md", "settings.md", "athena.md"])
def test_reference_pages_are_up_to_date(name: str) -> None:
    """If this fails: run `analytics-platform reference`."""
    assert (DOCS / name).read_text("utf-8") == pages()[name]


def test_the_diagram_of_the_star_has_an_arrow_for_every_key_of_a_fact() -> None:
    arrows = set(re.findall(r"^    (\w+) --> (\w+)$", pages()["star.md"], re.MULTILINE))
    facts = {name: each.table.foreign_keys for name, each in CONTRACTS.items() if name.startswith("star.fact_")}
    expected = {(fact, dimension) for fact, keys in facts.items() for dimension in keys.values()}
    assert {(f"star.{fact}", f"star.{dimension}") for fact, dimension in arrows} == expected
    assert len(facts) > 5


def test_athena_reads_the_columns_of_the_contract_in_the_order_of_the_file() -> None:
    statement = create_external_table(SOURCES["clickstream"], "s3://shop/lake")
    parsed = sqlglot.parse_one(statement, dialect="athena")
    columns = [column.name for column in parsed.find_all(exp.ColumnDef)]
    assert ",".join(columns) == HEADER
    assert "LOCATION 's3://shop/lake/clickstream/'" in statement and "'skip.header.line.count' = '1'" in statement
    assert create_external_table(SOURCES["exchange_rates"]) == ""  # answers of an API lie among its files


def test_every_setting_is_described() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_named_in_the_docs_exist() -> None:
    known = {name.upper() for name in Settings.model_fields}
    named = set()
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        named |= set(re.findall(r"^(?:export )?([A-Z][A-Z_]+)=", page.read_text("utf-8"), re.MULTILINE))
    assert named - known - {"DAGSTER_HOME", "DAGSTER_POSTGRES_URL"} == set()


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("alert_webhook_url", "ftp://hooks.example/s3cret", "ALERT_WEBHOOK_URL=***: not an address"),
        ("smtp_url", "mail.example:s3cret", "SMTP_URL=***: not a mail server"),
        ("alert_email", "a@b.example\nBcc: c@d.example", "ALERT_EMAIL=a@b.example\nBcc: c@d.example: not an e-mail"),
    ],
)
def test_a_wrong_receiver_of_alerts_is_rejected_without_showing_a_secret(name: str, value: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as error:
        load_settings(**{name: value})

    assert str(error.value).startswith(sentence)
    assert "s3cret" not in str(error.value)
