"""The orders told to the shop are those of the events, each once, and cost what the catalogue says."""

from decimal import Decimal

from analytics_platform.demo.simulator import PURCHASES, read_purchases
from analytics_platform.demo.simulator.catalogue import APP_PRODUCTS
from analytics_platform_tests.demo.simulator.conftest import Traffic


def test_every_order_of_the_events_is_there_once_with_what_it_cost(traffic: Traffic) -> None:
    truth = traffic.truth.sources.total.all_sources
    orders = list(read_purchases(traffic.folder / PURCHASES))

    assert len({(order.client_id, order.transaction_id) for order in orders}) == len(orders) == truth.orders
    assert sum(order.revenue for order in orders) == Decimal(truth.revenue)
    assert [order.at for order in orders] == sorted(order.at for order in orders)


def test_an_order_costs_what_its_lines_cost_in_the_catalogue(traffic: Traffic) -> None:
    cents = {(product.item_id, variant.name): variant.cents for product in APP_PRODUCTS for variant in product.variants}
    for order in read_purchases(traffic.folder / PURCHASES):
        total = sum(cents[line.item_id, line.variant] * line.quantity for line in order.lines)
        assert order.revenue == Decimal(total) / 100, order


def test_an_order_of_nothing_is_among_them(traffic: Traffic) -> None:
    free = [order for order in read_purchases(traffic.folder / PURCHASES) if not order.lines]
    assert [order.revenue for order in free] == [0]
