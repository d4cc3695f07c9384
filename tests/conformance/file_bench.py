"""The counterpart of the sink of files: a folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import OVER_A_NETWORK, PATH, Bench
from tests.support.lending import lent

_NO_SERVICE = "a folder is no service: nothing answers, late or never"
_NO_CREDENTIALS = "a folder is written in the name of Keyturn's own process, without credentials"


@dataclass
class FileBench(Bench):
    kind = "custom/file"
    page = "file.md"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_wrong_credentials_are_the_destination_s_problem": _NO_CREDENTIALS,
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": _NO_CREDENTIALS,
        "test_a_value_that_is_too_large_is_that_place_s_problem": "a file may be of any size",
        **dict.fromkeys(OVER_A_NETWORK, _NO_SERVICE),
    }
    bad_paths = ("", "..", "a/../b", ".hidden", "a\0b")
    folder: TemporaryDirectory[str] = field(default_factory=TemporaryDirectory)

    def start(self) -> None:
        self.ports = lent(file_root=Path(self.folder.name))

    def stop(self) -> None:
        self.folder.cleanup()

    def finish(self) -> None:
        super().finish()
        self.folder.cleanup()
        self.folder = TemporaryDirectory()
        self.start()

    def config(self) -> dict[str, Any]:
        return {"root_path": "keyturn"}

    def _file(self, path: str) -> Path:
        return Path(self.folder.name) / "keyturn" / path

    def history(self, path: str = PATH) -> list[Any]:
        file = self._file(path)
        if not file.exists():
            return []
        return [(file.read_text(), file.stat().st_ino, file.stat().st_mtime_ns)]

    def stored(self, path: str = PATH) -> str | None:
        file = self._file(path)
        return file.read_text().removesuffix("\n") if file.exists() else None

    def write_foreign(self, path: str = PATH) -> None:
        self._file(path).parent.mkdir(parents=True, exist_ok=True)
        self._file(path).write_text("foreign\n")

    def deny(self, path: str = PATH) -> None:
        self._file(path).parent.parent.mkdir(parents=True, exist_ok=True)
        self._file(path).parent.write_text("a file where the folder has to be")

    def interrupt(self) -> None:
        self._draft().mkdir(parents=True)

    def mend(self) -> None:
        self._draft().rmdir()

    def _draft(self) -> Path:
        return self._file(PATH).with_name(".key.draft")

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(), lent()
