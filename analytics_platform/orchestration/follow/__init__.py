"""The fast lane: one warm process that loads and builds what arrives, as soon as it arrives."""
