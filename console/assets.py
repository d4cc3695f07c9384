"""The console's own files, under names that change with their content: kept for ever, asked once.

They are read, named and compressed when the application is made.
"""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import Response

from console.parts import parts_of
from core.errors import NotFound

FOLDER = Path(__file__).parent / "static"
PATH = "/assets"

router = APIRouter()

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_KEPT = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file as it is served."""

    name: str
    kind: str
    plain: bytes
    packed: bytes


class Assets:
    """All of them, by the name that templates use and by the one that they are served under."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._by_file = {path.name: _asset(path) for path in sorted(folder.iterdir())}
        self._by_name = {asset.name: asset for asset in self._by_file.values()}

    def path(self, file: str) -> str:
        """Where the file is served."""
        return f"{PATH}/{self._by_file[file].name}"

    def find(self, name: str) -> Asset:
        """The file that is served under this name; NotFound for an older one's."""
        if name not in self._by_name:
            raise NotFound("file", name)
        return self._by_name[name]


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    name = f"{path.stem}.{sha256(plain).hexdigest()[:12]}{path.suffix}"
    return Asset(name, _KINDS[path.suffix], plain, gzip.compress(plain, 9, mtime=0))


@router.get(PATH + "/{name}")
def asset(name: str, request: Request) -> Response:
    """One file, compressed for those who take it so."""
    found = parts_of(request).assets.find(name)
    headers = {"Cache-Control": _KEPT, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        headers["Content-Encoding"] = "gzip"
        return Response(found.packed, headers=headers, media_type=found.kind)
    return Response(found.plain, headers=headers, media_type=found.kind)
