"""Whether a text is a whole token: what is cut off, empty or no header's value is refused."""

import re
from zlib import crc32

from keyturn_client.errors import TokenUnavailable

LONGEST = 65_536
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECK = 6
_LENGTH = 57  # the prefix, 43 random characters, the checksum
_OPAQUE = ("tfy_vat_", "tfy_pat_", "tfy_ses_")
_JWT = re.compile(r"eyJ[\w-]*\.[\w-]+\.[\w-]{43,}")
_HEADER = re.compile(r"[!-~]+")


def whole(text: str) -> str:
    """`text` without the white space around it; TokenUnavailable if it is not a whole token.

    Keyturn's opaque tokens bear a checksum, so that not even their last character can be missing;
    a JWT needs its three parts; of any other text only that a header can carry it.
    """
    token = text.strip()
    if not token:
        raise TokenUnavailable("it is empty")
    if not _HEADER.fullmatch(token):
        raise TokenUnavailable("it is not one word of visible ASCII characters")
    if not _is_complete(token):
        raise TokenUnavailable("it is cut off or damaged")
    return token


def _is_complete(token: str) -> bool:
    if token.startswith(_OPAQUE):
        return len(token) == _LENGTH and token[-_CHECK:] == _checksum(token[:-_CHECK])
    if token.startswith("eyJ"):
        return _JWT.fullmatch(token) is not None
    return not any(prefix.startswith(token) for prefix in (*_OPAQUE, "eyJ"))


def _checksum(body: str) -> str:
    number = crc32(body.encode())
    digits = ""
    for _ in range(_CHECK):
        number, rest = divmod(number, len(_DIGITS))
        digits = _DIGITS[rest] + digits
    return digits
