"""The shop at the command line, for people who do it by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from analytics_platform.cli.commands import run_command
from analytics_platform.settings import Settings
from analytics_platform.shop.service import open_shop
from analytics_platform_tests.shop.kit import stock

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: (exit code, what it said)."""
    monkeypatch.setenv("SHOP_DATABASE_URL", settings.shop_database_url.get_secret_value())
    monkeypatch.setenv("MONGODB_URI", settings.mongodb_uri.get_secret_value())
    monkeypatch.setenv("MONGODB_DATABASE", settings.mongodb_database)
    monkeypatch.setenv("REDIS_URL", settings.redis_url.get_secret_value())
    monkeypatch.setenv("COLUMNS", "160")

    def command(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["analytics-platform", "shop", *words])
        with pytest.raises(SystemExit) as ended:
            run_command()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out + said.err

    return command


def test_from_an_empty_database_to_the_best_seller(run: Run, settings: Settings) -> None:
    assert run("init") == (0, "The shop's schema is at version 0001.\nCarts expire by themselves.\n")
    code, said = run("seed")
    assert code == 0 and "3 products and 2 customers" in said
    (ada,) = re.findall(r"customer (\d+): ada@mail.example", said)
    assert run("carts", "add", f"customer:{ada}", "lamp=2", "desk/oak")[0] == 0
    assert run("carts", "change", f"customer:{ada}", "lamp=3")[0] == 0
    assert run("carts", "add", "visitor:x", "vase")[0] == 0
    assert "vase" in run("carts", "merge", "visitor:x", f"customer:{ada}")[1]
    assert "lamp" in run("carts", "remove", f"customer:{ada}", "vase")[1]

    code, said = run("order", ada, "--key", "mine")

    assert code == 0 and "359.4700 at" in said and "oak" in said
    assert run("order", ada, "--key", "mine")[1] == said
    assert "is empty" in run("carts", "get", f"customer:{ada}")[1]
    assert "Lamp" in run("top-sellers")[1]
    assert run("drain-outbox") == (0, "0 done, 0 left.\n")
    with open_shop(settings) as shop:
        assert stock(shop) == {"lamp": 97, "desk": 19, "vase": 50}


def test_files_are_put_into_the_shop(run: Run, settings: Settings, tmp_path: Path) -> None:
    products, customers = tmp_path / "products.csv", tmp_path / "customers.csv"
    metadata = '"{""brand"": ""B"", ""watts"": 7, ""variants"": {""oak"": ""25.50""}}"'
    products.write_text(
        f'stock,name,product_id,category,price,metadata\n5,"Lamp [red]",lamp,Light,19.99,{metadata}\n', "utf-8-sig"
    )
    customers.write_text("email,name,city\nAda@Mail.example,Ada,\n", "utf-8")
    code, said = run("seed", "--products", str(products), "--customers", str(customers))
    assert (code, "1 products and 1 customers" in said) == (0, True)
    assert run("order", re.findall(r"customer (\d+)", said)[0], "lamp")[0] == 0
    assert "Lamp [red]" in run("top-sellers", "--count")[1]
    assert "25.5000" in run("order", "1", "lamp/oak", "--key", "k")[1]
    assert run("cancel", "k") == (0, "Order 2 of 25.5000 is cancelled, and its pieces are in stock again.\n")
    with open_shop(settings) as shop, shop.database.transaction() as connection:
        rows = connection.execute("SELECT stock, metadata FROM shop.products").fetchall()
    assert rows == [(4, {"brand": "B", "watts": 7, "variants": {"oak": "25.50"}})]


def test_a_file_without_metadata_keeps_that_of_the_shop_and_its_unknown_columns_are_named(
    run: Run, settings: Settings, tmp_path: Path
) -> None:
    products = tmp_path / "products.csv"
    header, lamp = "product_id,name,category,price,stock", "lamp,Lamp,Light,19.99"
    for columns, row in (
        (f"{header},metadata", f'{lamp},5,"{{""brand"": ""B"", ""variants"": {{""oak"": ""25.50""}}}}"'),
        (f"{header},colour,shelf", f"{lamp},7,red,4\ndesk,Desk,Furniture,250,1,,"),
    ):
        products.write_text(f"{columns}\n{row}\n", "utf-8")
        code, said = run("seed", "--products", str(products))
        assert code == 0
    assert f"{products}: nothing reads the columns colour, shelf." in said
    with open_shop(settings) as shop, shop.database.transaction() as connection:
        rows = connection.execute("SELECT product_id, stock, metadata FROM shop.products ORDER BY 1 DESC").fetchall()
    assert rows == [("lamp", 7, {"brand": "B", "variants": {"oak": "25.50"}}), ("desk", 1, {})]
    products.write_text(f"{header},metadata\n{lamp},7,\n", "utf-8")
    run("seed", "--products", str(products))
    with open_shop(settings) as shop, shop.database.transaction() as connection:
        assert connection.execute("SELECT metadata FROM shop.products WHERE product_id = 'lamp'").fetchone() == ({},)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("order", "99", "lamp"), "The shop has no customer 99: register the customer first."),
        (("cancel", "k"), "The shop has no order 'k': give the key that `shop order` named."),
        (("order", "1", "sofa"), "The shop has no product 'sofa': take it out of the cart."),
        (
            ("order", "1", "lamp=many"),
            "'lamp=many' is not a cart line: write PRODUCT, PRODUCT=2 or PRODUCT/VARIANT=2.",
        ),
        (("order", "1", "lamp=0"), "0 pieces of product 'lamp' cannot be ordered: order between 1 and 1,000,000."),
        (("order", "1", "lamp=101"), "Product 'lamp' has 100 pieces left, 101 are wanted: order fewer."),
        (("order", "1", "--key", "k"), "The cart of order 'k' is empty: put something into it first."),
        (("carts", "change", "customer:1", "lamp"), "Product 'lamp' is not in the cart: add it first."),
        (("carts", "merge", "customer:1", "customer:2"), "Only a visitor:… cart can be merged into a customer:… cart."),
    ],
)
def test_a_mistake_ends_in_one_sentence(words: tuple[str, ...], sentence: str, run: Run) -> None:
    run("seed")
    assert run(*words) == (2, f"analytics-platform: {sentence}\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("product_id,name\n", "has no column category, price, stock: its header must be"),
        ("product_id,name,category,price,stock\nx,x,x,cheap,1\n", "line 2: price and stock must be numbers"),
        ("product_id,name,category,price,stock,metadata\nx,x,x,1,1,[1]\n", "line 2: metadata must be a JSON object"),
        ('product_id,name,category,price,stock,metadata\nx,x,x,1,1,"{""variants"": 3}"\n', "line 2: metadata must be"),
        ("product_id,name,category,price,stock\nx,x,x,1,1\nx,x,x,1,1\n", "cannot affect row a second time"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_file_ends_in_one_sentence(content: str | None, words: str, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "products.csv"
    if content is not None:
        path.write_text(content, "utf-8")
    code, said = run("seed", "--products", str(path))
    assert code == 2 and words in said and len(said.splitlines()) == 1


def test_without_a_database_the_setting_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SHOP_DATABASE_URL")
    for command in ("init", "seed", "top-sellers"):
        code, said = run(command)
        assert code == 2 and said.startswith("analytics-platform: SHOP_DATABASE_URL is not set")


def test_before_init_the_shop_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> None:
    url = settings.shop_database_url.get_secret_value()
    monkeypatch.setenv("SHOP_DATABASE_URL", url.rpartition("/")[0] + "/postgres")
    code, said = run("seed")
    assert code == 2 and "analytics-platform shop init" in said and len(said.splitlines()) == 1
