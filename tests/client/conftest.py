"""Places where consumers find a token, and a clock for what is remembered of them."""

import logging
from collections.abc import Iterator

import pytest

from core.tokens import TokenKind, mint
from tests.api.conftest import _quiet, admin_token, http, server, stage, world
from tests.support.vault_double import VaultDouble

__all__ = ["_quiet", "admin_token", "http", "server", "stage", "world"]


class Clock:
    """Seconds that a test lets pass."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tokens() -> list[str]:
    """A few tokens as Keyturn makes them."""
    return [mint(TokenKind.VIRTUAL_ACCOUNT).reveal() for _ in range(4)]


@pytest.fixture
def vault() -> Iterator[VaultDouble]:
    with VaultDouble() as double:
        yield double


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What the client logs."""
    caplog.set_level(logging.INFO, "keyturn_client")
    return caplog
