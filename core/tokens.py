"""Tokens: mint, recognise, hash.

A token is `tfy_vat_`, `tfy_pat_` or another prefix that says what it is for, then 43 random
characters of base62, which are 256 bits, then the CRC-32 of all before as 6 of them. The
checksum lets a verifier refuse garbage without asking the database; it is not a protection.

A bearer of three parts, as JWTs have them, is taken for one: Keyturn's own or an identity
provider's (`core.jwts` reads it).
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
# Random bytes as random digits: each of them stands for four bytes, the rest is left out.
_FAIR = 4 * len(_DIGITS)
_DIGIT_OF = bytes(ord(_DIGITS[byte % len(_DIGITS)]) for byte in range(256))
_UNFAIR = bytes(range(_FAIR, 256))
# With what follows it, so that a second one right behind it goes, too.
_LOOKALIKE = re.compile(r"tfy_[a-z]{3}_\w{8,}", re.ASCII)
_LOOKS_SIGNED = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?", re.ASCII)
_JWT = re.compile(r"e[w-z][\w-]{8,}\.[\w-]{8,}\.[\w-]{16,}", re.ASCII)  # "{" in base64
LONGEST_JWT = 16_384


class TokenKind(StrEnum):
    """What it is for. The first five are bearer tokens, the others each open one thing once.

    A JWT has no prefix and is not minted here.
    """

    VIRTUAL_ACCOUNT = "vat"
    PERSONAL = "pat"
    SESSION = "ses"
    EXCHANGED = "exc"
    JWT = "jwt"
    DEVICE = "dev"
    INVITATION = "inv"
    ACKNOWLEDGE = "ack"
    SIGN_IN = "sso"


_PREFIXES: dict[TokenKind, str] = {
    kind: f"tfy_{kind}_" for kind in TokenKind if kind is not TokenKind.JWT
}
_LENGTH = len("tfy_vat_") + _BODY + _CHECK


@dataclass(frozen=True, repr=False)
class Token:
    """One bearer secret. Never becomes text by accident: say `reveal()`."""

    _text: str

    def reveal(self) -> str:
        return self._text

    @property
    def kind(self) -> TokenKind:
        return TokenKind(self._text[4:7]) if self._text.startswith("tfy_") else TokenKind.JWT

    @property
    def hash(self) -> bytes:
        """SHA-256 of the whole token: 256 random bits need neither salt nor pepper."""
        return sha256(self._text.encode()).digest()

    @property
    def stem(self) -> str:
        """The first eight characters that no other token shares."""
        return self._text.rpartition(".")[2][:8] if self.kind is TokenKind.JWT else self._text[8:16]

    @property
    def last_four(self) -> str:
        """The only part of the body that may be shown to people."""
        return self._text[-4:]

    def __repr__(self) -> str:
        return f"Token({self._text[:8]}…{self.last_four})"

    __str__ = __repr__


def mint(kind: TokenKind) -> Token:
    """A new token with 256 bits from the operating system's generator."""
    body = _PREFIXES[kind] + _random_digits(_BODY)
    return Token(body + _base62(crc32(body.encode()), _CHECK))


def recognise(text: str) -> Token | None:
    """The token that `text` is; None if neither Keyturn nor an identity provider can have made it.

    Of a JWT only the form is looked at.
    """
    if text[:1] == "e":
        return Token(text) if len(text) <= LONGEST_JWT and _JWT.fullmatch(text) else None
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
    return _LOOKS_SIGNED.sub("jwt_***", _LOOKALIKE.sub("tfy_***", text))


def _random_digits(width: int) -> str:
    """So many digits from the operating system's generator, each as likely as the others."""
    digits = b""
    while len(digits) < width:
        digits += secrets.token_bytes(width + 8).translate(_DIGIT_OF, _UNFAIR)
    return digits[:width].decode()


def _base62(number: int, width: int) -> str:
    pairs = []
    for _ in range((width + 1) // 2):
        number, rest = divmod(number, 3844)
        pairs.append(_PAIRS[rest])
    return "".join(reversed(pairs))[-width:]
