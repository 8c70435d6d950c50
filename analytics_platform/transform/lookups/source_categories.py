"""Tells which traffic sources are search engines, social networks, shops and video sites.

The list is `source_categories.csv` beside this file: `source,category`, lower-case, one source a row. A
source is a name as campaigns write it (`facebook`) or a host as referrers show it (`l.facebook.com`). One
that ends in `.*` stands for a brand with sites in many countries: `amazon.*` is read as `amazon`,
`amazon.com`, `amazon.de`, `amazon.co.uk` and so on, so that users of the list need no rule but equality.
"""

from functools import cache
from pathlib import Path

import polars as pl

_LIST = Path(__file__).with_name("source_categories.csv")
_EVERY_COUNTRY = ".*"

_COUNTRY_SUFFIXES = (
    "com ad ae al am at az ba be bg by ca cat cc ch cl cn co cz de dk ee es eu fi fr ge gg gr hk hr hu ie "
    "im in iq is it jo jp kg kz la li lk lt lu lv md me mk mn mx my nl no nz pe ph pk pl pt qa ro rs ru "
    "se sg si sk sn tn to tr tv tw ua uk us uz vn co.id co.il co.in co.jp co.ke co.kr co.ma co.nz co.th "
    "co.uk co.ve co.za com.ar com.au com.bd com.bo com.br com.co com.cy com.do com.ec com.eg com.gh "
    "com.gr com.gt com.hk com.kw com.lb com.mt com.mx com.my com.ng com.ni com.om com.pa com.pe com.ph "
    "com.pk com.pl com.pr com.py com.qa com.ro com.sa com.sg com.sv com.tr com.tw com.ua com.uy com.vn"
)
"""Public suffixes under which brands register their country sites (a choice from publicsuffix.org)."""


@cache
def source_categories() -> pl.DataFrame:
    """Read the list, with every country spelt out: `source` (unique, lower-case), `category`.

    `category` is one of `search`, `social`, `shopping`, `video`. A row written out in the file wins over one
    that a brand's `.*` stands for.
    """
    listed = pl.read_csv(_LIST, schema={"source": pl.String, "category": pl.String})
    is_brand = pl.col("source").str.ends_with(_EVERY_COUNTRY)
    names = listed.filter(is_brand).with_columns(pl.col("source").str.strip_suffix(_EVERY_COUNTRY))
    sites = names.join(pl.DataFrame({"suffix": _COUNTRY_SUFFIXES.split()}), how="cross")
    sites = sites.select(pl.concat_str("source", "suffix", separator=".").alias("source"), "category")
    every = pl.concat([listed.filter(~is_brand), names, sites])
    return every.unique("source", keep="first", maintain_order=True).sort("source")
