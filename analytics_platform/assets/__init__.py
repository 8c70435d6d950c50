"""Dagster assets by layer."""
