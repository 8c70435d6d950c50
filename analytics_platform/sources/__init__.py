"""How to fetch raw data. No Dagster in here."""
