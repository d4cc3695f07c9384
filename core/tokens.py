"""Tokens: mint, recognise, hash.

A token is `tfy_vat_`, `tfy_pat_` or another prefix that says what it is for, then 256 random
bits as 43 characters of base62, then the CRC-32 of all before as 6 characters of base62. The
checksum lets a verifier refuse garbage without asking the database; it is not a protection.
"""

import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from zlib import crc32

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BODY = 43  # 62**43 > 2**256
_CHECK = 6  # 62**6 > 2**32
_PAIRS = [a + b for a in _DIGITS for b in _DIGITS]
_LOOKALIKE = re.compile(r"tfy_[a-z]{3}_[0-9A-Za-z]{8,}")


class TokenKind(StrEnum):
    """What it is for. The first three are bearer tokens, the others each open one thing once."""

    VIRTUAL_ACCOUNT = "vat"
    PERSONAL = "pat"
    SESSION = "ses"
    REFRESH = "ref"
    DEVICE = "dev"
    INVITATION = "inv"


_PREFIXES = {kind: f"tfy_{kind}_" for kind in TokenKind}
_LENGTH = len("tfy_vat_") + _BODY + _CHECK


@dataclass(frozen=True, repr=False)
class Token:
    """One bearer secret. Never becomes text by accident: say `reveal()`."""

    _text: str

    def reveal(self) -> str:
        return self._text

    @property
    def kind(self) -> TokenKind:
        return TokenKind(self._text[4:7])

    @property
    def hash(self) -> bytes:
        """SHA-256 of the whole token: 256 random bits need neither salt nor pepper."""
        return sha256(self._text.encode()).digest()

    @property
    def last_four(self) -> str:
        """The only part of the body that may be shown to people."""
        return self._text[-4:]

    def __repr__(self) -> str:
        return f"Token({self._text[:8]}…{self.last_four})"

    __str__ = __repr__


def mint(kind: TokenKind) -> Token:
    """A new token with 256 bits from the operating system's generator."""
    body = _PREFIXES[kind] + _base62(secrets.randbits(256), _BODY)
    return Token(body + _base62(crc32(body.encode()), _CHECK))


def recognise(text: str) -> Token | None:
    """The token that `text` is, or None if Keyturn cannot have made it."""
    if len(text) != _LENGTH or not text.startswith(tuple(_PREFIXES.values())):
        return None
    if not (text.isascii() and text[8:].isalnum()):
        return None
    body, check = text[:-_CHECK], text[-_CHECK:]
    if _base62(crc32(body.encode()), _CHECK) != check:
        return None
    return Token(text)


def without_tokens(text: str) -> str:
    """`text` with everything that looks like a token masked."""
    return _LOOKALIKE.sub("tfy_***", text)


def _base62(number: int, width: int) -> str:
    pairs = []
    for _ in range((width + 1) // 2):
        number, rest = divmod(number, 3844)
        pairs.append(_PAIRS[rest])
    return "".join(reversed(pairs))[-width:]
