"""A folder of files on Keyturn's own host: one file per place, mode 0600, replaced atomically.

The mark lies beside it in `.<name>.keyturn.json`, written first: a crash in between leaves a
mark that says what was meant, and the next `put` finishes it.
"""

import hashlib
import hmac
import json
import os
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from core.errors import DestinationRefused, Misconfigured, PlaceRefused, Transient
from core.ids import Mark
from core.plugins import Pace, Ports
from sinks.base import Copy, Held, Removal, Sink, mark_of

_FINGERPRINT = "fingerprint"


class FileSink(Sink):
    """Writes tokens into files below the folder that the operator allows."""

    kind: ClassVar[str] = "custom/file"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "Files"

    root_path: str = Field(default="", max_length=512, description="A folder below file_root.")

    @property
    def pace(self) -> Pace:
        return Pace(concurrency=4, send_limit=5.0)

    def place(self, path: str) -> str:
        parts = [part for part in path.split("/") if part]
        if not parts or any(part.startswith(".") or "\0" in part for part in parts):
            raise PlaceRefused("a file's path has no empty or hidden parts, and no '..'")
        return "/".join(parts)

    def check(self, ports: Ports) -> str:
        folder = self._folder(ports)
        probe = folder / f".keyturn-check-{os.getpid()}"
        try:
            probe.touch(mode=0o600)
            probe.unlink()
        except OSError as error:
            raise _ours(error, folder) from None
        return f"can write in {folder}"

    def put(self, copy: Copy, ports: Ports) -> Held:
        path = self._path(copy.path, ports)
        text = copy.text.get_secret_value().removesuffix("\n") + "\n"
        try:
            held = self._held(path)
            if path.exists() and not copy.may_follow(held) and held is not None:
                return Held(mark=held)
            if held != copy.mark:
                beside = {**copy.metadata(), _FINGERPRINT: _fingerprint(text.encode())}
                _write(_beside(path), json.dumps(beside, indent=1) + "\n")
            if not _holds(path, text):
                _write(path, text)
        except OSError as error:
            raise _ours(error, path) from None
        return self.read(copy.path, ports) or Held(mark=None)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        file = self._path(path, ports)
        try:
            if not file.exists():
                return None
            return Held(mark=self._held(file))
        except OSError as error:
            raise _ours(error, file) from None

    def remove(self, removal: Removal, ports: Ports) -> None:
        path = self._path(removal.path, ports)
        try:
            held = self._held(path)
            if held is not None and held.place == removal.place:
                path.unlink(missing_ok=True)
                _beside(path).unlink(missing_ok=True)
        except OSError as error:
            raise _ours(error, path) from None

    def _folder(self, ports: Ports) -> Path:
        root = ports.own_folder().resolve()
        folder = (root / self.root_path.strip("/")).resolve()
        if not folder.is_relative_to(root):
            raise Misconfigured("root_path leads out of the folder that the operator allows.")
        return _made(folder)

    def _path(self, path: str, ports: Ports) -> Path:
        folder = self._folder(ports)
        file = folder / path
        if not file.parent.resolve().is_relative_to(folder) or file.is_symlink():
            raise PlaceRefused(f"{path} leads out of the integration's folder.")
        _made(file.parent)
        return file

    @staticmethod
    def _held(path: Path) -> Mark | None:
        """Our mark; as revision 0 where the file is not what was written under it."""
        try:
            beside = json.loads(_beside(path).read_text())
            mark = mark_of(beside)
        except (FileNotFoundError, ValueError):
            return None
        if mark is None or not path.exists():
            return mark
        is_ours = beside.get(_FINGERPRINT) == _fingerprint(path.read_bytes())
        return mark if is_ours else Mark(0, 0, mark.place)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise _ours(error, folder) from None
    return folder


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.keyturn.json")


def _fingerprint(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:32]


def _holds(path: Path, text: str) -> bool:
    try:
        return hmac.compare_digest(path.read_bytes(), text.encode())
    except FileNotFoundError:
        return False


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _ours(error: OSError, path: Path) -> Exception:
    message = f"{path}: {error.strerror}"
    if isinstance(error, PermissionError):
        return DestinationRefused(message)
    if isinstance(error, IsADirectoryError | NotADirectoryError | FileExistsError):
        return PlaceRefused(message)
    return Transient(message)
