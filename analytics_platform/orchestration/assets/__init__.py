"""Dagster assets by layer: raw, cleaned, and the factory that turns contract + SQL into an asset."""

import warnings

from dagster import BetaWarning

# Code references, backfill policies and partition mappings are used knowingly although Dagster calls them beta.
warnings.filterwarnings("ignore", category=BetaWarning)
