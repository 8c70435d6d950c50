"""Dagster assets by layer: raw, cleaned, and the factory that turns contract + SQL into an asset."""
