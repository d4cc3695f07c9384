"""The built-in secret store: groups, keys and versions."""
