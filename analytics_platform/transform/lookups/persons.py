"""Joins clients and users that were seen together to persons: the connected components of the pairs."""

from __future__ import annotations

import numpy as np
import polars as pl


def find_members(links: pl.DataFrame, most_users: int) -> pl.DataFrame:
    """Make the rows of cleaned.person_members of pairs: `client_id` or `email` (the other is empty), and `user_id`.

    A client or e-mail address with more than `most_users` users joins nobody, and is left out.
    """
    pairs = links.select("client_id", "email", "user_id").unique()
    users = pairs.select("user_id").unique().sort("user_id").with_row_index("user")
    joins = pairs.group_by("client_id", "email").agg("user_id").filter(pl.col("user_id").list.len() <= most_users)
    edges = joins.sort("client_id", "email").with_row_index("link").explode("user_id").join(users, "user_id")
    smallest = _smallest_of_component(edges["link"].to_numpy(), edges["user"].to_numpy(), joins.height, users.height)
    persons = users.with_columns(person_id="user:" + users["user_id"].gather(smallest))
    of_clients = edges.filter(pl.col("client_id") != "").unique("client_id", keep="any").join(persons, "user")
    return pl.concat(
        [
            persons.select(pl.lit("").alias("client_id"), "user_id", "person_id"),
            of_clients.select("client_id", pl.lit("").alias("user_id"), "person_id"),
        ]
    )


def _smallest_of_component(link: np.ndarray, user: np.ndarray, links: int, users: int) -> np.ndarray:
    """Return the smallest user of each user's component, given the two ends of every edge, counted from 0.

    Each round joins every component to the smallest neighbour, so their number at least halves.
    """
    label = np.arange(users)
    while True:
        of_link = np.full(links, users)
        np.minimum.at(of_link, link, label[user])
        joined = label.copy()
        np.minimum.at(joined, label[user], of_link[link])
        while not np.array_equal(joined, joined[joined]):
            joined = joined[joined]
        if np.array_equal(joined, label):
            return label
        label = joined
