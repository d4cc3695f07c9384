"""Virtual accounts: written by manifest, looked at, and the places that keep their tokens."""
