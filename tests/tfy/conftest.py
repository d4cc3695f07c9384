"""The reference's own command, `tfy`, run as its users run it, against a live Keyturn."""

import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.api.conftest import _quiet, admin_token, anybody, server, stage, world
from tests.support.missing import Missing
from tests.support.ports import LOOPBACK

__all__ = ["_quiet", "admin_token", "anybody", "server", "stage", "world"]

_COMMAND = Path(__file__).parents[2] / ".venv" / "tfy" / "bin" / "tfy"
_PATIENCE = 120  # seconds: it imports much before it does anything


@dataclass(frozen=True)
class Ended:
    """What one run left behind; both streams in one, with single spaces between the words."""

    code: int
    out: str


@dataclass(frozen=True)
class Tfy:
    """Runs the command as somebody with a home of their own, who can reach loopback only."""

    home: Path
    server: str
    proxy: str
    more: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "COLUMNS": "400",
            "LANG": "C.UTF-8",
            "HTTP_PROXY": self.proxy,
            "HTTPS_PROXY": self.proxy,
            "NO_PROXY": LOOPBACK,
            "BROWSER": "true",  # the command of this name, which shows nothing
            **self.more,
        }

    def __call__(self, *words: str) -> Ended:
        """One run to its end."""
        with self.started(*words) as run:
            out, _ = run.communicate(timeout=_PATIENCE)
        return Ended(run.returncode, " ".join(out.split()))

    @contextmanager
    def started(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """A run that goes on while the test does something else."""
        run = subprocess.Popen(
            self._line(words),
            cwd=self.home,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield run
        finally:
            run.kill()
            run.communicate()

    def said(self, *words: str) -> str:
        """What a run that must succeed prints."""
        ended = self(*words)
        assert ended.code == 0, ended.out
        return ended.out

    def log_in(self, token: str) -> str:
        return self.said("login", "--host", self.server, "--api-key", token)

    def given(self, token: str) -> "Tfy":
        """The same person, who gives the token by the environment instead of logging in."""
        return replace(self, more={"TFY_HOST": self.server, "TFY_API_KEY": token})

    def file(self, text: str) -> str:
        """A manifest's file."""
        made = self.home / "manifest.yaml"
        made.write_text(text)
        return str(made)

    @staticmethod
    def _line(words: Sequence[str]) -> list[str]:
        if not _COMMAND.exists():
            raise Missing("the reference's command: make .venv/.tfy")
        return [str(_COMMAND), *words]


@pytest.fixture
def tfy(server: str, tmp_path: Path) -> Iterator[Tfy]:
    """Somebody who has never logged in. Whatever the command asks elsewhere fails the test."""
    home = tmp_path / "home"
    home.mkdir()
    with socket.create_server((LOOPBACK, 0)) as proxy:
        yield Tfy(home, server, f"http://{LOOPBACK}:{proxy.getsockname()[1]}")
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()
