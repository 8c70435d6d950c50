"""From a contract to what Dagster shows of a table: columns, lineage, owners, tags, code references."""

import inspect
from functools import lru_cache
from pathlib import Path

import dagster as dg

from analytics_platform.catalog import CONTRACTS
from analytics_platform.contracts.base import ContractType, is_gated
from analytics_platform.contracts.ddl import column_docs, column_types
from analytics_platform.transform import all_models, column_lineage
from analytics_platform.warehouse import LEDGER_TABLES

GATED = tuple(name for name, contract in CONTRACTS.items() if is_gated(contract))
"""Tables behind a gate, one per source."""

DASHBOARD = "http://127.0.0.1:8501"
"""Where `analytics-platform dashboard` serves the marts, unless another port is given."""

WRITTEN_BY_LOADS = frozenset(contract.table.name for contract in LEDGER_TABLES)
"""Tables that every load writes together with its own: the assets of the gated tables stand for them."""


def asset_key(table: str) -> dg.AssetKey:
    """Give the key of the asset that fills a table: `star/fact_orders` for `star.fact_orders`."""
    return dg.AssetKey(table.split("."))


def producers_of(table: str) -> tuple[dg.AssetKey, ...]:
    """Give the keys of the assets that write a table."""
    return tuple(map(asset_key, GATED if table in WRITTEN_BY_LOADS else (table,)))


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    return tuple(Path(file).read_text("utf-8").splitlines())


def _line_of(contract: ContractType) -> int:
    # inspect.getsourcelines parses the file anew for every class: 10 ms each.
    start = f"class {contract.__name__}("
    return 1 + next(n for n, line in enumerate(_lines(inspect.getfile(contract))) if line.startswith(start))


def code_references(contract: ContractType) -> dg.CodeReferencesMetadataValue:
    """Give the places of the contract and of the SQL, if the table has any."""
    file = Path(inspect.getfile(contract))
    places: list[dg.LocalFileCodeReference | dg.UrlCodeReference] = [
        dg.LocalFileCodeReference(file_path=str(file), line_number=_line_of(contract), label="contract")
    ]
    model = all_models().get(contract.table.name)
    if model is not None:
        places.insert(0, dg.LocalFileCodeReference(file_path=str(model.path), line_number=1, label="SQL"))
    return dg.CodeReferencesMetadataValue(code_references=places)


def python_files(*files: str) -> dict[str, dg.MetadataValue]:
    """Give the metadata that refers to the Python files of an asset without a contract."""
    places = (dg.LocalFileCodeReference(file_path=file, line_number=1, label=Path(file).stem) for file in files)
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[*places])}


def definition_metadata(contract: ContractType) -> dict[str, dg.MetadataValue]:
    """Give the metadata that is known before any run."""
    table = contract.table
    readers = {"dashboard": dg.MetadataValue.url(DASHBOARD)} if table.layer == "marts" else {}
    return {
        **readers,
        "dagster/table_name": dg.MetadataValue.text(table.name),
        "dagster/code_references": code_references(contract),
        "primary_key": dg.MetadataValue.text(", ".join(table.key)),
        "write_mode": dg.MetadataValue.text(table.write),
    }


def column_schema(contract: ContractType) -> dg.TableSchema:
    """Give the Columns tab: name, SQL type, description and rules of every column."""
    columns, kinds, docs = contract.columns, column_types(contract), column_docs(contract)
    key = contract.table.key
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=kinds[name],
                description=docs[name],
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable,
                    unique=key == (name,),
                    other=[str(check.error) for check in column.checks],
                ),
            )
            for name, column in columns.items()
        ]
    )


def lineage_of(table: str) -> dg.TableColumnLineage:
    """Give the columns of other tables that each column is computed from, read from the SQL."""
    found = column_lineage(table) if table in all_models() else {}
    return dg.TableColumnLineage(
        deps_by_column={
            column: [
                dg.TableColumnDep(asset_key=producer, column_name=name)
                for source, name in sources
                for producer in producers_of(source)
            ]
            for column, sources in found.items()
        }
    )


def columns_metadata(contract: ContractType) -> dict[str, dg.MetadataValue]:
    """Give what the UI shows of the columns of a table, which it reads from the latest materialization."""
    return {
        "dagster/column_schema": dg.MetadataValue.table_schema(column_schema(contract)),
        "dagster/column_lineage": dg.MetadataValue.column_lineage(lineage_of(contract.table.name)),
    }
