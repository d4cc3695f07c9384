"""A file with the current token, for a program that is not restarted."""

import os
import tempfile
from pathlib import Path
from typing import Self

_IN_MEMORY = Path("/dev/shm")  # noqa: S108 - a private folder is made in it


class TokenFile:
    """A file of mode 0600 in a private folder, in memory where there is one; gone at the end."""

    def __enter__(self) -> Self:
        self._folder = tempfile.TemporaryDirectory(prefix="keyturn-", dir=_place())
        self.path = Path(self._folder.name) / "token"
        return self

    def __exit__(self, *_error: object) -> None:
        self._folder.cleanup()

    def write(self, token: str) -> None:
        """Replaces it as a whole: a reader sees the old token or the new one."""
        draft = self.path.with_name("draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(token + "\n")
        draft.replace(self.path)


def _place() -> str | None:
    for folder in (os.environ.get("XDG_RUNTIME_DIR"), _IN_MEMORY):
        if folder and os.access(folder, os.W_OK | os.X_OK):
            return str(folder)
    return None
