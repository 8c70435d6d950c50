"""Alerts: which incidents are open, and who gets a message."""
