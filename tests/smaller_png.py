"""PNG files of flat colours, written anew: without what is empty at the bottom, and smaller."""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL = 3  # bytes: 8-bit RGB, which a browser takes


def shrink(path: Path, margin: int) -> None:
    """The same picture, with at most `margin` rows of its last one, and without row filters."""
    chunks = dict(_chunks(path.read_bytes()))
    head = chunks[b"IHDR"]
    width, height = struct.unpack(">II", head[:8])
    rows = list(_rows(zlib.decompress(chunks[b"IDAT"]), width * _PIXEL, height))
    told = max((at + 1 for at, row in enumerate(rows) if row != rows[-1]), default=0)
    rows = rows[: told + margin]
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    head = struct.pack(">II", width, len(rows)) + head[8:]
    kept = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    path.write_bytes(_SIGNATURE + b"".join(_chunk(*one) for one in kept))


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    at, data = len(_SIGNATURE), b""
    while at < len(picture):
        length, kind = struct.unpack(">I4s", picture[at : at + 8])
        body = picture[at + 8 : at + 8 + length]
        data = data + body if kind == b"IDAT" else data
        yield kind, data if kind == b"IDAT" else body
        at += 12 + length


def _rows(raw: bytes, width: int, height: int) -> Iterator[bytes]:
    """https://www.w3.org/TR/png-3/#9Filters"""
    above = bytearray(width)
    for number in range(height):
        start = number * (width + 1)
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + width])
        for at in range(width):
            left, corner = (row[at - _PIXEL], above[at - _PIXEL]) if at >= _PIXEL else (0, 0)
            guess = (0, left, above[at], (left + above[at]) // 2, _paeth(left, above[at], corner))
            row[at] = (row[at] + guess[kind]) & 255
        yield bytes(row)
        above = row


def _paeth(left: int, above: int, corner: int) -> int:
    around = left + above - corner
    return min((left, above, corner), key=lambda one: abs(around - one))


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check
