"""Users of the web shop, from a JSON API."""

from __future__ import annotations

from analytics_platform.contracts.base import DeliveredRows, Ratio, Text, column
from analytics_platform.sources.arrivals.api import JsonApi
from analytics_platform.sources.source import Source
from analytics_platform.sources.users.records import Answers

EMAIL_PATTERN = (
    r"^[a-z0-9.!#$%&'*+/=?^_`{|}~-]+"
    r"@[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$"
)
"""What browsers take for an e-mail address (HTML standard, "valid e-mail address"), in lower case and with a dot in the
domain, for no customer of a shop has a mailbox on a host without one. Comments, quoted names and letters beyond ASCII,
which RFC 5322 and 6531 allow, are rejected. Holds in Python, Polars and DuckDB alike."""


class UserVersions(DeliveredRows, table="cleaned.user_versions", source="users", key="version_id"):
    """One row per user, day and content in which the users API had the user: what was known of them then?"""

    version_id: Text = column("MD5 of the content.", random=True)
    user_id: Text = column("The user.", source="id")
    name: Text = column("The name as it came.", nullable=True, source="name")
    honorific: Text = column("In front of the name: Mrs., Prof. …", nullable=True, source="name: honorific")
    first_name: Text = column("First name.", nullable=True, source="name: first")
    last_name: Text = column("Last name.", nullable=True, source="name: last")
    suffix: Text = column("Behind the name: Jr., V …", nullable=True, source="name: suffix")
    username: Text = column("Login name.", nullable=True, source="username")
    email: Text = column("A mail address in lower case.", nullable=True, source="email", str_matches=EMAIL_PATTERN)
    phone: Text = column("As it came.", nullable=True, source="phone")
    website: Text = column("As it came.", nullable=True, source="website")
    street: Text = column("Street.", nullable=True, source="address.street")
    suite: Text = column("Apartment or suite.", nullable=True, source="address.suite")
    city: Text = column("City.", nullable=True, source="address.city")
    zipcode: Text = column("Postal code.", nullable=True, source="address.zipcode")
    latitude: Ratio = column("Degrees north.", nullable=True, source="address.geo.lat", in_range=(-90.0, 90.0))
    longitude: Ratio = column("Degrees east.", nullable=True, source="address.geo.lng", in_range=(-180.0, 180.0))
    company_name: Text = column("Company.", nullable=True, source="company.name")
    company_catch_phrase: Text = column("Its slogan.", nullable=True, source="company.catchPhrase")
    company_bs: Text = column("What it says it does.", nullable=True, source="company.bs")


SOURCE = Source(UserVersions, JsonApi(), Answers())
