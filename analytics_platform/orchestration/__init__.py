"""Jobs, sensors, schedules and alerts."""
