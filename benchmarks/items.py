"""Items in the serialization of the GA4 export, parsed in Python, against `json.loads` of their JSON form, parsed in C.

`python -m benchmarks.items` draws lists of items that look like a mobile shop's, writes them in both forms, and
measures in turns, each over the same lists:
(a) `json.loads` of the JSON form, with the fields it writes, missing ones as null;
(b) `parse_items` of the GA4 form, which also leaves out what is missing and makes numbers exact;
(c) `parse_items` of the JSON form, which ends with the same items as (b);
(d) `decode_message` of whole messages whose items are in the GA4 form.
The export writes every field of the struct, so most are missing. `sparse` is the same without the missing ones.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from random import Random

from rich.progress import track

from analytics_platform.gate.exact_json import canonical_json
from analytics_platform.sources.ecommerce_events.decode import decode_message
from analytics_platform.sources.ecommerce_events.items import parse_items
from benchmarks.report import Figure, report

FIELDS = (
    "item_id item_name item_brand item_variant item_category item_category2 item_category3 item_category4 "
    "item_category5 price_in_usd price quantity item_revenue_in_usd item_revenue item_refund_in_usd item_refund coupon "
    "affiliation location_id item_list_id item_list_name item_list_index promotion_id promotion_name creative_name "
    "creative_slot"
)
NUMBERS = frozenset({"price_in_usd", "price", "quantity", "item_revenue_in_usd", "item_revenue"}) | {
    "item_refund_in_usd",
    "item_refund",
}
NAMES = ("Audífonos, negro", "Cámara 4K (2 lentes)", "Teclado español", "Silla [gris]", "Cable USB-C, 2 m", "Ratón")
LISTS = ("Los más comprados", "Recomendados para ti", "Ofertas, hoy")

Item = Mapping[str, object]


def draw_item(rng: Random) -> Item:
    """An item as the export's struct has it: every field, None where missing."""
    cents = rng.randrange(100, 1_000_000)
    return {
        **dict.fromkeys(FIELDS.split()),
        "item_id": f"prod_{rng.randrange(5_000)}",
        "item_name": rng.choice(NAMES),
        "item_brand": rng.choice(("Lumen", "Nord", None)),
        "item_category": rng.choice(("Audio", "Oficina", "Cables")),
        "price_in_usd": cents // 18 / 100,
        "price": cents / 100,
        "quantity": rng.randrange(1, 4),
        "item_list_name": rng.choice(LISTS),
        "coupon": rng.choice((None, None, "BUEN_FIN")),
        "item_params": [_param("totalPrice", f"${cents / 100:,.2f}"), _param("discounts", "CAMPAIGN_A|EXP_01")],
    }


def _param(key: str, text: str) -> dict[str, object]:
    return {
        "key": key,
        "value": {"string_value": text, "int_value": None, "float_value": None, "double_value": None},
    }


def write_ga4(value: object, name: str = "") -> str:
    """A value as the export serializes it."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}={write_ga4(each, key)}' for key, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(write_ga4, value))}]"
    if value is None:
        return "null" if name in NUMBERS or name.endswith("_value") else "(not set)"
    return str(value)


def draw_lists(count: int) -> list[list[Item]]:
    """Lists of 1 to 10 items."""
    rng = Random(7)
    return [[draw_item(rng) for _ in range(rng.randrange(1, 11))] for _ in range(count)]


def without_missing(items: Sequence[Item]) -> list[Item]:
    return [{name: value for name, value in item.items() if value is not None} for item in items]


def message_of(items: str) -> str:
    return json.dumps(
        {
            "event_timestamp": 1_759_276_800_000,
            "user_id": "u_1",
            "event_name": "view_item_list",
            "platform": "IOS",
            "items": items,
        },
        ensure_ascii=False,
    )


def seconds(work: Callable[[str], object], texts: Sequence[str]) -> float:
    """How long the work takes for all texts."""
    start = time.perf_counter()
    for text in texts:
        work(text)
    return time.perf_counter() - start


def compare(count: int, repeat: int) -> None:
    """Measure the parts in turns, so that other load on the machine affects all equally, and report the fastest."""
    lists = draw_lists(count)
    sparse = [without_missing(items) for items in lists]
    parts: dict[str, tuple[Callable[[str], object], list[str]]] = {
        "a  json.loads": (json.loads, [json.dumps(items, ensure_ascii=False) for items in lists]),
        "b  parse_items, GA4 form": (parse_items, [write_ga4(items) for items in lists]),
        "c  parse_items, JSON form": (parse_items, [json.dumps(items, ensure_ascii=False) for items in lists]),
        "d  decode_message, GA4 form": (decode_message, [message_of(write_ga4(items)) for items in lists]),
        "a  json.loads, sparse": (json.loads, [json.dumps(items, ensure_ascii=False) for items in sparse]),
        "b  parse_items, GA4 form, sparse": (parse_items, [write_ga4(items) for items in sparse]),
    }
    for ga4, plain in zip(parts["b  parse_items, GA4 form"][1], parts["a  json.loads, sparse"][1], strict=True):
        assert canonical_json(parse_items(ga4)) == canonical_json(parse_items(plain))
    taken: dict[str, list[float]] = {what: [] for what in parts}
    for _ in track(range(repeat), description="measuring"):
        for what, (work, texts) in parts.items():
            taken[what].append(seconds(work, texts))
    fastest = {what: min(each) for what, each in taken.items()}
    rows = sum(map(len, lists))
    size = {what: f"{sum(map(len, texts)) / rows:,.0f} characters an item" for what, (_, texts) in parts.items()}
    report(
        "items",
        [Figure(what, rows, fastest[what], size[what]) for what in parts],
        {
            "b / a (at most 6)": fastest["b  parse_items, GA4 form"] / fastest["a  json.loads"],
            "b / a, sparse": fastest["b  parse_items, GA4 form, sparse"] / fastest["a  json.loads, sparse"],
            "c / a": fastest["c  parse_items, JSON form"] / fastest["a  json.loads"],
        },
        {"lists": count, "turns, fastest taken": repeat},
    )


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=int, default=4_000, help="lists of 1 to 10 items")
    parser.add_argument("--repeat", type=int, default=7, help="turns; the fastest counts")
    arguments = parser.parse_args()
    compare(arguments.lists, arguments.repeat)


if __name__ == "__main__":
    main()
