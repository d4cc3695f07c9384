"""Whether a bearer token is good, from memory where that can be believed; and who uses it."""
