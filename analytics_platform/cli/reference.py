"""Reference pages written from the code: the data dictionary from the contracts, the settings from settings.py.

`analytics-platform reference` writes them into docs/, and the file `.env.example` beside that folder if there is one; a
test says when they are out of date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain, groupby
from pathlib import Path

from pydantic import SecretStr

from analytics_platform.catalog import CONTRACTS
from analytics_platform.cli.athena import athena_lines
from analytics_platform.contracts.base import ContractType, is_gated
from analytics_platform.contracts.ddl import column_docs, column_types, table_doc
from analytics_platform.settings import Settings
from analytics_platform.transform import all_models, column_lineage

NOTE = "<!-- Written by `analytics-platform reference`; do not edit. -->"

PUBLISHED: Mapping[str, str] = {
    "batches": "appended batch by batch",
    "days": "whole days are replaced",
    "upsert": "rows are replaced by their key",
    "whole": "built anew as a whole",
}


def write_reference(folder: Path) -> list[Path]:
    """Write all pages, and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {folder / name: text for name, text in pages().items()}
    example = folder.resolve().parent / ".env.example"
    if example.exists():  # in a checkout; beside another folder nothing is written
        texts[example] = env_example()
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    return list(texts)


def pages() -> dict[str, str]:
    """Give the text of each page by its file name."""
    lines = {"data_dictionary.md": _dictionary_lines(), "star.md": _star_lines(), "settings.md": _settings_lines()}
    lines["athena.md"] = chain((NOTE, "", "# The lake in Athena", ""), athena_lines())
    return {name: "\n".join(page) + "\n" for name, page in lines.items()}


def _dictionary_lines() -> Iterator[str]:
    yield from (NOTE, "", "# Data dictionary", "")
    yield "Every table of the warehouse, in the order data flows. Times are UTC, money is `DECIMAL(18,4)`, surrogate"
    yield "keys are hashes with `-1` for unknown. «from» names what a column is computed from, as read from the SQL."
    yield "Additive numbers may be summed over any rows; semi-additive ones over some, as orders by product over days,"
    yield "but not over products; others over none: a sum of daily visitors counts people again on each day."
    layers = {layer: list(names) for layer, names in groupby(CONTRACTS, lambda name: name.partition(".")[0])}
    yield ""
    for layer, names in layers.items():
        yield f"- **{layer}**: " + ", ".join(f"[{name.partition('.')[2]}](#{name.replace('.', '')})" for name in names)
    for name in CONTRACTS:
        yield from _table_lines(CONTRACTS[name])


def _table_lines(contract: ContractType) -> Iterator[str]:
    table, docs, kinds = contract.table, column_docs(contract), column_types(contract)
    lineage = column_lineage(table.name) if table.name in all_models() else {}
    yield from ("", f"## {table.name}", "", table_doc(contract), "")
    days = f", days in `{table.partition}`" if table.partition else ""
    yield f"Key: {_codes(table.key)}; {PUBLISHED[table.write]}{days}."
    yield from ("", "| column | type | what it is | from |", "| --- | --- | --- | --- |")
    columns = contract.columns
    for name, kind in kinds.items():
        null = "" if columns[name].nullable else " not null"
        origin = ", ".join(f"`{source}.{column}`" for source, column in lineage.get(name, ()))
        raw = columns[name].metadata["source"] if is_gated(contract) else ()  # its names in raw input
        origin = origin or (f"{table.source}: {_codes(raw)}" if raw else "")
        yield f"| `{name}` | {kind}{null} | {_cell(docs[name])} | {origin} |"
    rules = [f"- `{rule.name}`: {_cell(rule.description)}" for rule in table.rules]
    rules += [f"- `{column}` exists in `{other}`." for column, other in table.foreign_keys.items()]
    if rules:
        yield from ("", "Rules over a row:", "", *rules)


STAR_RULES = (
    "",
    "- **Keys** of facts are never missing. -1 is the unknown member of each dimension, called (not set).",
    "- **Dates** play roles: join `dim_date.date` to any date of a fact or person, such as `shop_date` or",
    "  `first_order_date`. `date_key` is the day of the fact in UTC.",
    "- **Channel and device** of orders, their lines and their refunds are those of the order's session; of events and",
    "  their items the channel is of the session, the device their own.",
    "- **Variants** are members of `dim_product` below their product: `variant_key` of lines and items points to them.",
    "- **Promotions** have a member of `dim_promotion` for each creative and slot that they are shown with. Group by",
    "  `promotion_id`, else `promotion_name`, to count a promotion once.",
)
"""What holds for all tables of the star."""


def _star_lines() -> Iterator[str]:
    star = [contract for name, contract in CONTRACTS.items() if name.startswith("star.")]
    yield from (NOTE, "", "# The star", "")
    yield "Facts and their dimensions: an arrow leads from a fact to the dimension that one of its keys points to."
    yield "Columns are in the [data dictionary](data_dictionary.md); who is who stands in [Who is who](people.md)."
    yield from ("", "```mermaid", "flowchart LR")
    for contract in star:
        name = contract.table.name.partition(".")[2]
        yield f"    {name}{f'[({name})]' if name.startswith('dim_') else f'[{name}]'}"
        yield from (f"    {name} --> {other.partition('.')[2]}" for other in contract.table.foreign_keys.values())
    yield from ("```", "", "| table | one row per: the question | numbers to sum |", "| --- | --- | --- |")
    for contract in star:
        question = table_doc(contract).partition("\n")[0].removeprefix("One row per ")
        summed = _codes(tuple(x for x, column in contract.columns.items() if column.metadata["sums"] == "additive"))
        name = contract.table.name
        yield f"| [{name}](data_dictionary.md#{name.replace('.', '')}) | {_cell(question)} | {summed} |"
    yield from STAR_RULES


def _codes(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _settings_lines() -> Iterator[str]:
    yield from (NOTE, "", "# Settings", "")
    yield "Every setting is an environment variable. A wrong one ends the start with one sentence that names it."
    yield "Secrets (marked) are shown nowhere: not in logs, metadata, messages or errors. What is empty is absent."
    yield from ("", "| setting | default | what it is |", "| --- | --- | --- |")
    for name, field in Settings.model_fields.items():
        default, secret = _text(field.default), " (secret)" if "SecretStr" in str(field.annotation) else ""
        yield f"| `{name.upper()}` | {default and f'`{default}`'} | {_cell(field.description or '')}{secret} |"


def env_example() -> str:
    """Write every setting with its default, as a file for a shell or Dagster to read."""
    lines = [
        "# Written by `analytics-platform reference`. Copy it to .env, keep the lines you change; empty is absent.",
        "# `dagster dev` reads .env in the folder where it is started; for other commands: set -a; . ./.env; set +a",
    ]
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"{name.upper()}={_text(field.default)}"]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    """Write a default as the environment does; empty for what is absent or a secret."""
    text = "" if value is None or isinstance(value, SecretStr) else str(value)
    return "" if text == "." else text
