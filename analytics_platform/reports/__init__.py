"""Findings and plots."""
