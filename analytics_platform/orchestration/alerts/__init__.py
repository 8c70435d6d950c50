"""Alerts: which incidents are open, and the messages about them."""
