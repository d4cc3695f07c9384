"""Turning keys: what is due, the new token, the old one's grace, holds and end."""
