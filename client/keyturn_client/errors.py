"""What can go wrong."""


class TokenUnavailable(Exception):
    """The token cannot be had now. The message says why and never quotes a secret."""
