"""What the mobile shop sends to its queue."""
