"""Where raw data comes from: one folder per source, and everything about it in there. No Dagster in here."""
