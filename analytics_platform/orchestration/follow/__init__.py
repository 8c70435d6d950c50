"""The fast lane: one warm process that loads and builds what arrives, seconds after it was sent."""
