"""`analytics-platform shop …`: the shop at the command line.

Settings: SHOP_DATABASE_URL, and for carts MONGODB_URI and MONGODB_DATABASE, for the cache REDIS_URL.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from analytics_platform.shop.domain import Cart, CartLine, Customer, Product
from analytics_platform.shop.errors import BadCatalogueError, BadOrderError

if TYPE_CHECKING:
    from analytics_platform.shop.carts import Carts
    from analytics_platform.shop.service import Shop

app = typer.Typer(
    help="""The shop's own service: orders in PostgreSQL, carts in MongoDB, best sellers in Redis.

    First `init`, then `seed`; then `order`, `carts` and `top-sellers` work. SHOP_DATABASE_URL names the database,
    MONGODB_URI the carts, REDIS_URL the cache; the shop works without the latter two.
    """,
    no_args_is_help=True,
)
carts = typer.Typer(
    help="Show and change a cart. Carts are named customer:17 or visitor:anything.", no_args_is_help=True
)
app.add_typer(carts, name="carts")

CartId = Annotated[str, typer.Argument(metavar="CART", help="customer:17 or visitor:anything.")]
Lines = Annotated[list[str], typer.Argument(metavar="PRODUCT[/VARIANT][=PIECES]…", help="lamp, lamp=2, desk/oak=1")]


@app.command()
def init() -> None:
    """Create the shop's tables in SHOP_DATABASE_URL, or migrate them to this version. No data is lost."""
    from analytics_platform.settings import SettingsError, load_settings
    from analytics_platform.shop.schema import migrate

    settings = load_settings()
    if not (url := settings.shop_database_url.get_secret_value()):
        raise SettingsError("SHOP_DATABASE_URL is not set: give the postgresql:// address of the shop's database.")
    print(f"The shop's schema is at version {migrate(url)}.")
    if settings.mongodb_uri.get_secret_value():
        with _open() as shop:
            shop.carts.prepare()
        print("Carts expire by themselves.")


@app.command()
def seed(
    products: Annotated[
        Path | None, typer.Option(help="CSV: product_id,name,category,price,stock; also metadata, JSON.")
    ] = None,
    customers: Annotated[Path | None, typer.Option(help="CSV: email,name,city.")] = None,
) -> None:
    """Insert or update products and customers; without files a small example."""
    from analytics_platform.shop.catalogue import seed_customers, seed_products

    with _open() as shop:
        is_example = products is None and customers is None
        count = seed_products(shop.database, _EXAMPLE_PRODUCTS if is_example else _read_products(products))
        ids = seed_customers(shop.database, _EXAMPLE_CUSTOMERS if is_example else _read_customers(customers))
    print(f"{count:,} products and {len(ids):,} customers were added or updated.")
    for email, number in list(ids.items())[:5]:
        print(f"  customer {number}: {email}")


@app.command()
def order(
    customer: Annotated[int, typer.Argument(help="The customer's number.")],
    lines: Lines = [],  # noqa: B006
    key: Annotated[str, typer.Option(help="Names the order; the same key again is the same order.")] = "",
) -> None:
    """Order PRODUCTS, or without any the content of the customer's cart, at current prices."""
    with _open() as shop:
        cart = Cart(tuple(map(_line, lines))) if lines else shop.carts.get(f"customer:{customer}")
        placed = shop.place_order(cart, customer, key or f"cli/{uuid4()}")
    table = Table("product", "variant", "pieces", "price", title=f"Order {placed.order_id}: {escape(placed.order_key)}")
    for line in placed.lines:
        table.add_row(escape(line.product_id), escape(line.variant or ""), f"{line.quantity:,}", f"{line.unit_price:,}")
    Console().print(table)
    print(f"{placed.total:,} at {placed.ordered_at:%Y-%m-%d %H:%M:%S} UTC. The same key again changes nothing.")


@app.command()
def cancel(key: Annotated[str, typer.Argument(help="The order's key.")]) -> None:
    """Cancel an order: its pieces go back to the stock. A second time changes nothing."""
    with _open() as shop:
        cancelled = shop.cancel_order(key)
    print(f"Order {cancelled.order_id} of {cancelled.total:,} is cancelled, and its pieces are in stock again.")


@app.command("top-sellers")
def top_sellers(
    count: Annotated[bool, typer.Option("--count", help="Count them from the orders, without the cache.")] = False,
) -> None:
    """Show the ten products with the most pieces sold, from the cache if there is one."""
    with _open() as shop:
        top = shop.count_top_sellers() if count else shop.top_sellers()
    table = Table("", "product", "name", "pieces", "orders", "revenue")
    for place, each in enumerate(top, start=1):
        figures = (f"{each.quantity:,}", f"{each.orders:,}", f"{each.revenue:,}")
        table.add_row(str(place), escape(each.product_id), escape(each.name), *figures)
    Console().print(table)


@app.command("drain-outbox")
def drain_outbox() -> None:
    """Do the tasks left in the outbox while carts or cache did not answer. The job drain_outbox does the same."""
    with _open() as shop:
        drained = shop.drain_outbox()
    print(f"{drained.done:,} done, {drained.left:,} left.")
    for reason in drained.reasons:
        print(f"  {reason}")
    raise typer.Exit(1 if drained.left else 0)


@carts.command("get")
def get_cart(cart: CartId) -> None:
    """Show what is in a cart."""
    _change_cart(cart, [], lambda carts, line: None)


@carts.command("add")
def add_to_cart(cart: CartId, lines: Lines) -> None:
    """Put products into a cart."""
    _change_cart(cart, lines, lambda carts, line: carts.add(cart, line))


@carts.command("change")
def change_cart(cart: CartId, lines: Lines) -> None:
    """Set the number of pieces of products in a cart."""
    _change_cart(cart, lines, lambda carts, line: carts.change(cart, line))


@carts.command("remove")
def remove_from_cart(cart: CartId, lines: Lines) -> None:
    """Remove products from a cart."""
    _change_cart(cart, lines, lambda carts, line: carts.remove(cart, *line.thing))


def _change_cart(cart: str, lines: list[str], change: Callable[[Carts, CartLine], object]) -> None:
    with _open() as shop:
        for line in map(_line, lines):
            change(shop.carts, line)
        _print_cart(shop.carts.get(cart))


@carts.command("merge")
def merge_carts(visitor: CartId, customer: CartId) -> None:
    """Move the lines of a visitor's cart into the customer's, as at login."""
    with _open() as shop:
        _print_cart(shop.carts.merge(visitor, customer))


@contextmanager
def _open() -> Iterator[Shop]:
    from analytics_platform.settings import load_settings
    from analytics_platform.shop.service import open_shop

    with open_shop(load_settings()) as shop:
        yield shop


def _line(text: str) -> CartLine:
    """Parse `desk/oak=2`."""
    thing, _, pieces = text.partition("=")
    product_id, _, variant = thing.partition("/")
    try:
        return CartLine(product_id, int(pieces or 1), variant or None)
    except ValueError:
        raise BadOrderError(f"{text!r} is not a cart line: write PRODUCT, PRODUCT=2 or PRODUCT/VARIANT=2.") from None


def _print_cart(cart: Cart) -> None:
    table = Table("product", "variant", "pieces", title=escape(str(cart.cart_id)))
    for line in cart.lines:
        table.add_row(escape(line.product_id), escape(line.variant or ""), f"{line.quantity:,}")
    Console().print(table if cart.lines else f"{escape(str(cart.cart_id))} is empty.")


def _read_products(path: Path | None) -> Iterator[Product]:
    for number, row in _read(path, ("product_id", "name", "category", "price", "stock"), ("metadata",)):
        try:
            price, stock = Decimal(row["price"]), int(row["stock"])
        except (InvalidOperation, ValueError):
            raise BadCatalogueError(f"{path}, line {number}: price and stock must be numbers.") from None
        if "metadata" not in row:
            yield Product(row["product_id"], row["name"], row["category"], price, stock, metadata=None)
            continue
        try:
            rest = dict(json.loads(row["metadata"] or "{}"))
            variants = {str(name): Decimal(str(cost)) for name, cost in dict(rest.pop("variants", {})).items()}
        except (InvalidOperation, ValueError, TypeError):
            what = """metadata must be a JSON object such as {"brand": "B", "variants": {"oak": "299.50"}}"""
            raise BadCatalogueError(f"{path}, line {number}: {what}.") from None
        yield Product(row["product_id"], row["name"], row["category"], price, stock, variants=variants, metadata=rest)


def _read_customers(path: Path | None) -> Iterator[Customer]:
    for _, row in _read(path, ("email", "name", "city")):
        yield Customer(row["email"], row["name"], row["city"] or None)


def _read(
    path: Path | None, names: tuple[str, ...], optional: tuple[str, ...] = ()
) -> Iterator[tuple[int, dict[str, str]]]:
    """Read the rows of a CSV file with their line numbers, and name the columns that nothing reads."""
    if path is None:
        return
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if missing := [name for name in names if name not in (rows.fieldnames or ())]:
                wanted = ",".join(names)
                raise BadCatalogueError(f"{path} has no column {', '.join(missing)}: its header must be {wanted}.")
            written = rows.fieldnames or ()
            if unread := [name for name in written if name not in (*names, *optional)]:
                print(f"{path}: nothing reads the columns {', '.join(unread)}.")
            for row in rows:
                read = (*names, *(name for name in optional if name in written))
                yield rows.line_num, {name: (row.get(name) or "").strip() for name in read}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadCatalogueError(f"{path} cannot be read: {error}.") from None


_EXAMPLE_PRODUCTS = [
    Product("lamp", "Lamp", "Light", Decimal("19.99"), 100),
    Product("desk", "Desk", "Furniture", Decimal("250"), 20, variants={"oak": Decimal("299.50")}),
    Product("vase", "Vase", "Decoration", Decimal("7.25"), 50),
]
_EXAMPLE_CUSTOMERS = [
    Customer("ada@mail.example", "Ada Lovelace", "London"),
    Customer("bo@mail.example", "Bo Ek", None),
]
