"""Asset checks, and the watchdog that judges what is stored."""
