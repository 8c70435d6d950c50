"""What the web shop's servers log about signed-in users, as documents of MongoDB."""
