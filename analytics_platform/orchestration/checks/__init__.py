"""Asset checks, and the watchdog, which checks the health of the stored data."""
