"""What leaves the outbox: lanes, claims, sends, and what comes of them."""
