"""What happens to a token that somebody reports as leaked."""

from enum import StrEnum


class OnLeak(StrEnum):
    """It ends at once and has a successor, or has one and works through its grace, or is told."""

    REVOKE = "revoke"
    ROTATE = "rotate"
    TELL = "tell"
