"""Counting messages, to become the truth about them."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import asdict

from analytics_platform.demo.simulator.feed import Packed
from analytics_platform.demo.simulator.messages.event import AppEvent, Item
from analytics_platform.demo.simulator.tally import ActivityTally, RowTally, UserTally, format_money
from analytics_platform.demo.simulator.truth import ListTotals, MessageTotals

_SHOWN, _CLICKED, _VIEWED, _CARTED = "view_item_list", "select_item", "view_item", "add_to_cart"


class MessageTally:
    """A running count of messages and of what their events say; `total` may be asked at any time."""

    def __init__(self, together: UserTally) -> None:
        """Start from nothing; `together` also counts what the same users do elsewhere."""
        self._rows = RowTally()
        self._activity = ActivityTally()
        self._together = together
        self._lists = ListTally()

    def add_file(self, packed: Packed[AppEvent]) -> None:
        """Count one file: its new events, its copies, its poison."""
        self._rows.add(packed.duplicates, packed.reasons)
        for event in packed.events:
            self._activity.add(event.client_id, event.at, event.purchase)
            viewed = [item.name for item in event.items] if event.name == _VIEWED else ()
            self._together.add(event, event.purchase, viewed)
            self._lists.add(event)

    def total(self) -> MessageTotals:
        """Everything counted so far."""
        return MessageTotals(
            **asdict(self._activity.total()),
            **self._rows.total(self._activity.events),
            lists=self._lists.total(),
        )


class ListTally:
    """A running count of what each list did."""

    def __init__(self) -> None:
        """Start from nothing."""
        self._items: Counter[tuple[str, str]] = Counter()
        self._users: defaultdict[str, set[int]] = defaultdict(set)
        self._products: defaultdict[str, set[str]] = defaultdict(set)
        self._orders: dict[tuple[int, str], AppEvent] = {}

    def add(self, event: AppEvent) -> None:
        """Count one event for every list that its items name; of an order's events only the earliest stays."""
        for item in event.items:
            if item.list_name:
                self._items[item.list_name, event.name] += 1
                self._users[item.list_name].add(event.user_id)
                self._products[item.list_name].add(item.item_id)
        if event.purchase is not None:
            key = (event.user_id, event.purchase.transaction_id)
            self._orders[key] = min(self._orders.get(key, event), event, key=lambda each: each.at)

    def total(self) -> dict[str, ListTotals]:
        """Everything counted so far, by list name."""
        sold = self._find_sold_items()
        return {
            name: ListTotals(
                impressions=self._items[name, _SHOWN],
                clicks=self._items[name, _CLICKED],
                views=self._items[name, _VIEWED],
                add_to_carts=self._items[name, _CARTED],
                purchases=len({order for order, _ in sold[name]}),
                unique_users=len(users),
                unique_products=len(self._products[name]),
                revenue=format_money(sum(item.cents * (item.quantity or 0) for _, item in sold[name])),
            )
            for name, users in sorted(self._users.items())
        }

    def _find_sold_items(self) -> Mapping[str, list[tuple[tuple[int, str], Item]]]:
        """By list name: the items bought from it, each with the key of its order."""
        sold: defaultdict[str, list[tuple[tuple[int, str], Item]]] = defaultdict(list)
        for key, event in self._orders.items():
            for item in event.items:
                sold[item.list_name].append((key, item))
        return sold
