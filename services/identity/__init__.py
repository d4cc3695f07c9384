"""JWTs of others: identity providers, exchange, single sign-on."""
