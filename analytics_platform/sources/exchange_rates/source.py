"""Exchange rates: CSV files from the landing folder, and a JSON API in the shape of the public euro reference rates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from analytics_platform.connectors.rest_api.content import decode_pages
from analytics_platform.contracts.base import ContractType, Day, DeliveredRows, Rate, Text, column
from analytics_platform.gate import Records
from analytics_platform.gate.exact_json import canonical_json
from analytics_platform.gate.json_rows import read_object, to_text
from analytics_platform.gate.records import MalformedError, Positions, numbered, parse_records
from analytics_platform.lake import Batch
from analytics_platform.settings import Settings
from analytics_platform.sources.arrivals.api import SUFFIX, JsonApi
from analytics_platform.sources.formats import Csv
from analytics_platform.sources.source import Source

if TYPE_CHECKING:
    from analytics_platform.connectors.rest_api.endpoint import Endpoint


class ExchangeRateVersions(
    DeliveredRows, table="cleaned.exchange_rate_versions", source="exchange_rates", key="version_id"
):
    """One row per day and content of a rate: what was a currency said to be worth?"""

    version_id: Text = column("MD5 of the content.", random=True)
    date: Day = column("Day from which the rate holds.", source="date", required=True)
    base: Text = column(
        "The currency of which one unit is priced; EUR where it is missing, as in the euro reference rates.",
        nullable=True,
        source="base",
        str_matches="^[A-Z]{3}$",
    )
    currency: Text = column("ISO 4217.", source="currency", required=True, str_matches="^[A-Z]{3}$")
    rate: Rate = column("Units of the currency for one unit of the base.", source="rate", required=True, gt=0)


class RatesApi(JsonApi):
    """The latest rates of an API: `{"base": "EUR", "date": "2026-11-27", "rates": {"USD": 1.0845, …}}`."""

    system = "exchange_rates_api"
    about = "JSON API of exchange rates (EXCHANGE_RATES_URL), such as https://api.frankfurter.dev/v1/latest."
    description = "CSV files from LANDING_DIR, and the untouched answer of EXCHANGE_RATES_URL; each content once."
    setting = "EXCHANGE_RATES_URL"

    def endpoint(self, source: str, settings: Settings) -> Endpoint:
        """Give the API that the settings name. Raises `RestError` if they name none that can be asked."""
        from analytics_platform.connectors.rest_api.endpoint import Endpoint

        url = settings.exchange_rates_url.get_secret_value()
        return Endpoint(source, url, setting=self.setting, is_object=True)


class RatesFormat(Csv):
    """A CSV file, or the answer of an API."""

    reasons = (*Csv().reasons, "record: no rates")

    def read(self, batch: Batch, stream: BinaryIO, contract: ContractType, only: Positions) -> Iterator[Records]:
        """Parse the lines of a file, or the rates of an answer, a record for each."""
        if not batch.name.endswith(SUFFIX):
            yield from super().read(batch, stream, contract, only)
            return
        found = (rate for page in decode_pages(stream.read()) for rate in _split(page.decode()))
        yield from parse_records(numbered(found, only), ("date", "base", "currency", "rate"), _values, canonical_json)


def _split(answer: str) -> Iterator[dict[str, object]]:
    """Split an answer into rates; one in another shape is one record."""
    found = read_object(answer)
    rates = found.get("rates")
    if not isinstance(rates, dict):
        yield found
        return
    head = {name: found.get(name) for name in ("date", "base")}
    yield from ({**head, "currency": currency, "rate": rate} for currency, rate in rates.items())


def _values(rate: dict[str, object]) -> list[str | None]:
    if "rate" not in rate:
        raise MalformedError("record: no rates")
    return list(map(to_text, rate.values()))


SOURCE = Source(ExchangeRateVersions, RatesApi(), RatesFormat())
