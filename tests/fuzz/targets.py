"""What reads a stranger's bytes before anything is believed of them: never raises, never accepts.

Each target takes any bytes. Hypothesis feeds them in the suite, atheris in `make fuzz`.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from zlib import crc32

from api.credentials import bearer_of, bearer_or_key_of
from api.questions import question_of
from api.token_exchange import Refused, read_form
from core import jwts
from core.claims import Condition, parse_path, pick
from core.errors import InvalidInput
from core.jwks import VerificationKey, new_pair, open_private, read_key, read_set
from core.tokens import TokenKind, mint, recognise, without_tokens
from services.verify.verdicts import Rejected


def _signed() -> tuple[VerificationKey, str]:
    closed, public = new_pair("EdDSA")
    key = read_key(public)
    assert key is not None
    claims = {"iss": "https://token.example.com", "aud": "keyturn", "sub": "repo:acme/app"}
    return key, jwts.sign(claims, open_private(closed), kid="key-1", algorithm="EdDSA")


KEY, SIGNED = _signed()
GOOD = mint(TokenKind.VIRTUAL_ACCOUNT).reveal()
FORM = "grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token=x"


def token(data: bytes) -> None:
    """What is taken for a token has the checksum of one, or is three parts of a JWT."""
    text = data.decode("latin-1")
    without_tokens(text)
    found = recognise(text)
    if found is None:
        return
    assert found.reveal() == text
    assert text not in repr(found)
    if found.kind is TokenKind.JWT:
        assert text.count(".") == 2
    else:
        assert _number(text[-6:]) == crc32(text[:-6].encode())


def header(data: bytes) -> None:
    """One header, the same twice, and with another one: a token or a refusal."""
    for headers in (
        [(b"authorization", data)],
        [(b"authorization", b"Bearer " + data), (b"x-api-key", data)],
        [(b"authorization", b"Bearer a"), (b"authorization", data)],
    ):
        for read in (bearer_of, bearer_or_key_of):
            found = read(headers)
            assert isinstance(found, Rejected | bytes)
            if isinstance(found, bytes):
                assert found.strip() == found != b""
                recognise(found.decode("latin-1"))


def jwt(data: bytes) -> None:
    """No JWT but the one that was signed bears the key's signature, whatever it says of itself."""
    said = data.decode("latin-1")
    for text in (said, _mutated(SIGNED, data)):
        found = jwts.read(text)
        if found is None:
            continue
        for name in ("exp", "nbf", "iat"):
            jwts.moment(found.claims.get(name))
        if jwts.is_signed_with(text, KEY, found.algorithm):
            assert text.rpartition(".")[0] == SIGNED.rpartition(".")[0]


def claims(data: bytes) -> None:
    """Paths and conditions of any text over any claims: a ValueError, or an answer."""
    text = data.decode("utf-8", "replace")
    path, _, document = text.partition("\n")
    found: object = None
    with suppress(ValueError, RecursionError):
        found = json.loads(document)
    held = found if isinstance(found, dict) else {"a": found}
    with suppress(ValueError):
        assert 1 <= len(parse_path(path)) <= 8
        pick(held, path)
    for demand in ({"equals": path}, {"in": [path, 1, True]}, {"matches": f"{path}*"}):
        with suppress(ValueError):
            assert Condition.model_validate({"claim": path, **demand}).is_met(held) in {True, False}


def keys(data: bytes) -> None:
    """A key set of any JSON: the keys of it that are public and sound."""
    with suppress(ValueError, RecursionError):
        for key in read_set(json.loads(data)):
            assert key.public["kty"] in {"RSA", "EC", "OKP"}


def form(data: bytes) -> None:
    """A form of an exchange, and a question about a permission: refused, or whole."""
    with suppress(Refused):
        given = read_form(data)
        assert given["subject_token"]
    with suppress(InvalidInput):
        question_of(data)


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target for target in (token, header, jwt, claims, keys, form)
}
SEEDS: dict[str, tuple[bytes, ...]] = {
    "token": (GOOD.encode(), SIGNED.encode()),
    "header": (f"Bearer {GOOD}".encode(), b"Basic eDp5"),
    "jwt": (SIGNED.encode(), b"\x00\x05A"),
    "claims": (
        b'"kubernetes.io".serviceaccount.uid\n{"kubernetes.io": {"serviceaccount": {"uid": 1}}}',
        b'ref\n{"ref": ["a", "b"]}',
    ),
    "keys": (json.dumps({"keys": [KEY.public | {"kid": "key-1"}]}).encode(),),
    "form": (
        f"{FORM}&subject_token_type=urn:ietf:params:oauth:token-type:jwt".encode(),
        b"resource_type=mcp-server&resource_fqn=a&action=mcp-server:use",
    ),
}


def _number(digits: str) -> int:
    alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    value = 0
    for digit in digits:
        value = value * 62 + alphabet.index(digit)
    return value


def _mutated(text: str, how: bytes) -> str:
    """The text with bytes put in at places, as pairs of place and byte say."""
    changed = bytearray(text.encode())
    for place, byte in zip(how[::2], how[1::2], strict=False):
        changed[(place * 7) % len(changed)] = byte
    return changed.decode("latin-1")
