"""The vocabulary contracts are written in: column types, `column`, `Contract`.

A contract is a Pandera (Polars) model; what it says of the table as a whole stands in the class keywords, which are the
fields of `Table` (table.py). What is derived from a contract is in rules.py and ddl.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import pandera.polars as pa
import polars as pl
from pandera.api.dataframe.model_config import BaseConfig

from analytics_platform.contracts.rules import FIELD_CHECKS, Rule, column_rules
from analytics_platform.contracts.table import Table

Text: TypeAlias = pl.String
Whole: TypeAlias = pl.Int64
Flag: TypeAlias = pl.Boolean
Day: TypeAlias = pl.Date
Ratio: TypeAlias = pl.Float64
Instant: TypeAlias = Annotated[pl.Datetime, "us", "UTC"]
Money: TypeAlias = Annotated[pl.Decimal, 18, 4]
Rate: TypeAlias = Annotated[pl.Decimal, 20, 10]
Sums: TypeAlias = Literal["additive", "semi-additive", "not additive"]


def column(
    description: str,
    *,
    nullable: bool = False,
    source: str | tuple[str, ...] = (),
    required: bool = False,
    usual: bool = False,
    json: bool = False,
    random: bool = False,
    amounts: tuple[str, ...] = (),
    orders: Mapping[str, str] | None = None,
    own_id: bool = False,
    delivery: bool = False,
    sums: Sums | None = None,
    **checks: Any,
) -> Any:
    """Describe one column of a contract; `checks` are those of Pandera's that have a SQL form. Raises `TypeError`.

    `source` is the name of the column in raw input, or several, first the usual one. A file that lacks a
    `required` column is rejected as a whole; the lack of a `usual` one is reported as drift. `json` marks text that
    must be valid JSON, `random` text that does not repeat, such as ids and hashes, and so is stored as it is.
    `amounts` are the places of amounts of money in JSON: `revenue`, or `items[].price` for those in a list. A record
    with one that cannot be read is rejected. `orders` marks JSON in which purchases and refunds say their amount, under
    any of its names (`event_names.py`): that must be read too. It maps names of events that GA4 lacks, as `plain_name`
    writes them, to one of the two. `own_id` marks the id that the source gives an event, `delivery` what says
    how a record was delivered, such as when it was sent: it does not tell one record from another. `sums` says of a
    number in a fact or mart over which rows it may be summed: all, some (such as days, and not products), or none.
    """
    for name in checks.keys() - set(FIELD_CHECKS):
        raise TypeError(f"column() has no {name}=, but the checks {', '.join(FIELD_CHECKS)}")
    if "in_range" in checks:
        least, most = checks["in_range"]
        checks["in_range"] = {"min_value": least, "max_value": most}
    names = (source,) if isinstance(source, str) else tuple(source)
    kinds = {"required": required, "usual": usual or required, "json": json, "random": random}
    metadata: dict[str, Any] = {"source": names, "own_id": own_id, "delivery": delivery, **kinds}
    metadata |= {"amounts": amounts, "orders": orders}
    text = f"{description} {sums.capitalize()}." if sums else description
    return pa.Field(nullable=nullable, description=text, metadata=metadata | {"sums": sums}, **checks)


def share(description: str) -> Any:
    """Describe a column with a number from 0 to 1, missing where there is nothing to divide by."""
    return column(description, nullable=True, ge=0.0, le=1.0, sums="not additive")


def without_amount(what: str = "orders", sums: Sums | None = None) -> Any:
    """Describe a column that counts what has no known amount beside a sum of amounts, which lacks it."""
    return column(f"Those of the {what} whose amount is not known: they are in no sum of amounts.", ge=0, sums=sums)


_Value = TypeVar("_Value")


class _Derived(Generic[_Value]):
    """A class attribute that is computed once per contract, at its first use."""

    def __init__(self, derive: Callable[[Any], _Value]) -> None:
        self._derive = derive
        self._found: dict[type[object], _Value] = {}

    def __get__(self, instance: object, owner: type[object]) -> _Value:
        if owner not in self._found:
            self._found[owner] = self._derive(owner)
        return self._found[owner]


class _Promises:
    """What is known of a contract. Apart from `Contract`, since Pandera takes a model's attributes for columns."""

    @_Derived
    def table(cls: type[Contract]) -> Table:
        """What the contract says of the table as a whole. Raises `TypeError` for a contract without a table."""
        found = getattr(cls, "_table", None)  # a contract derived from another has that one's
        if not isinstance(found, Table):
            raise TypeError('it names no table: write table="<layer>.<table>"')
        return found

    @_Derived
    def columns(cls: type[Contract]) -> Mapping[str, pa.Column]:
        """Column name → Pandera column, in order: those of the class itself, then those of its base."""
        found = cls.to_schema().columns
        own = [name for name in cls.__annotations__ if name in found]
        return MappingProxyType({name: found[name] for name in dict.fromkeys([*own, *found])})

    @_Derived
    def rules(cls: type[Contract]) -> tuple[Rule, ...]:
        """All rules for single rows: by column in column order, then the rules over several columns."""
        return (*column_rules(cls.columns), *cls.table.rules)


class Contract(_Promises, pa.DataFrameModel):
    """Base of all contracts; the docstring of a subclass describes the table, first its grain and its question.

    The class keywords are the fields of `Table`; `table` is its name: `class Sessions(Contract, table="star.sessions",
    key="session_id", partition="date")`. A contract has the keywords of its base too.
    """

    _table: ClassVar[Table]
    _keywords: ClassVar[Mapping[str, Any]] = MappingProxyType({})

    class Config(BaseConfig):
        """Columns are exactly those listed and nothing is coerced."""

        strict = True
        coerce = False

    def __init_subclass__(cls, *, table: str = "", **keywords: Any) -> None:
        """Keep what the keywords say of the table. Raises `TypeError` for a keyword that `Table` does not have."""
        super().__init_subclass__()  # type: ignore[no-untyped-call]
        known = ("table", *Table.__slots__[1:])
        for name in keywords.keys() - set(known):
            raise TypeError(f"class {cls.__name__} has the keyword {name}=, but a contract has {', '.join(known)}")
        cls._keywords = {**cls._keywords, **keywords}
        if table:
            cls._table = Table(table, **cls._keywords)


class SourceRows(Contract, key="event_id", write="batches", partition="event_date"):
    """Base of the contracts of sources: the columns that the platform adds to every record that passed the gate.

    The load makes the key, see `identity_sql`.
    """

    event_date: Day = column("Day (UTC) of event_at, from PARTITION_START to arrival + 1 day; without it, of arrival.")
    extra: Text = column("What the record has beside these columns, as one JSON object.", nullable=True, json=True)
    arrived_at: Instant = column("When the batch was put into the lake.")
    batch_id: Text = column("The batch the record came in (ops.pipeline_logs).")
    position: Whole = column("Place of the record in its batch, from 1; of a CSV its line (the header is 1).", ge=1)


class DeliveredRows(SourceRows, redelivers=True, least_checked_rows=100):
    """Base of the contracts of sources that are systems: they hand over small batches, and a record more than once."""


class SourceEvents(Contract):
    """The shape in which the `events.sql` of a source gives its events. What may be null may be left out."""

    event_id: Text = column("Identity of the event.")
    client_id: Text = column("The browser or device; user:<user_id> for a source that only knows users.")
    user_id: Text = column("The signed-in user.", nullable=True)
    event_name: Text = column("GA4's name of the event; a name that GA4 does not know as it came.")
    raw_event_name: Text = column("The name the source gave, where it is another.", nullable=True)
    event_at: Instant = column("When the event happened (UTC).")
    event_date: Day = column("Day of event_at (UTC).")
    received_at: Instant = column("When the collector got it, else when its batch arrived.")
    platform: Text = column("WEB, IOS or ANDROID.", nullable=True)
    page_url: Text = column("Address of the page.", nullable=True)
    page_title: Text = column("Title of the page.", nullable=True)
    referrer: Text = column("Address the visitor came from.", nullable=True)
    user_agent: Text = column("The browser's own description.", nullable=True)
    campaign_tags: Text = column(
        "What the tracker read of utm_* and click ids, as the query of an address: ?utm_source=…&gclid=…", nullable=True
    )
    source_session_id: Text = column("The session as the source counts it; unique for a client.", nullable=True)
    country: Text = column("Country the visitor is in.", nullable=True)
    city: Text = column("City the visitor is in.", nullable=True)
    device_type: Text = column("Kind of device, where there is no user agent.", nullable=True)
    os: Text = column("Operating system, where there is no user agent.", nullable=True)
    browser: Text = column("Browser, where there is no user agent.", nullable=True)
    transaction_id: Text = column("The shop's order number, on purchases.", nullable=True)
    revenue: Money = column("Value of the order or refund, in its currency.", nullable=True)
    currency: Text = column("Currency of revenue and prices (ISO 4217); the shop's where it is missing.", nullable=True)
    tax: Money = column("Tax in the order, in its currency.", nullable=True)
    shipping: Money = column("Shipping in the order, in its currency.", nullable=True)
    discount: Money = column("Discount on the order as a whole, in its currency.", nullable=True)
    coupon: Text = column("Coupon on the order as a whole.", nullable=True)
    search_term: Text = column("What a search is for.", nullable=True)
    list_id: Text = column("The product list the event is about.", nullable=True)
    list_name: Text = column("Its name.", nullable=True)
    promotion_id: Text = column("The promotion the event is about, where its items name none.", nullable=True)
    promotion_name: Text = column("Its name.", nullable=True)
    creative_name: Text = column("The picture or text that promotes it.", nullable=True)
    creative_slot: Text = column("Where that stands.", nullable=True)
    items_json: Text = column("The items as a JSON array of objects: item_id, item_name, price …", nullable=True)
    batch_id: Text = column("The batch the event came in (ops.pipeline_logs).")
    position: Whole = column("Its place in the batch.", nullable=True)


ContractType: TypeAlias = type[Contract]


def file_of(contract: ContractType) -> str:
    """Return the file that makes the promise, for people to open: `analytics_platform/contracts/star.py`."""
    return f"{contract.__module__.replace('.', '/')}.py"


def is_gated(contract: ContractType) -> bool:
    """Return whether the table holds a source's records that passed the gate."""
    return bool(contract.table.source)
