"""JSON web keys: pairs that Keyturn signs with, and public keys that signatures are checked by.

Symmetric keys are none of them: a public key can never be mistaken for a shared secret.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

SIGNING = ("EdDSA", "RS256")
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_PUBLIC = {"RSA": ("e", "n"), "EC": ("crv", "x", "y"), "OKP": ("crv", "x")}
_RSA_BITS = range(2_048, 8_193)
_MOST_KEYS = 200


@dataclass(frozen=True)
class VerificationKey:
    """The public half of a key, and the algorithms that it may be used with."""

    kid: str | None
    public: Mapping[str, str]
    only: str | None = None
    _checking: dict[str, jwt.PyJWK] = field(default_factory=dict, repr=False, compare=False)

    def fits(self, algorithm: str) -> bool:
        """Whether a signature by this algorithm can be of this key."""
        if self.only not in {None, algorithm}:
            return False
        kind, curve = self.public["kty"], self.public.get("crv")
        if algorithm == "EdDSA":
            return kind == "OKP" and curve == "Ed25519"
        if algorithm in _CURVES:
            return kind == "EC" and curve == _CURVES[algorithm]
        return algorithm in ALGORITHMS and kind == "RSA"

    def checking(self, algorithm: str) -> jwt.PyJWK | None:
        """The key for this algorithm alone; None if it does not fit."""
        if not self.fits(algorithm):
            return None
        if algorithm not in self._checking:
            self._checking[algorithm] = jwt.PyJWK(dict(self.public), algorithm)
        return self._checking[algorithm]


def read_key(given: Any) -> VerificationKey | None:
    """A key out of a set; None if signatures cannot be checked by it."""
    if not isinstance(given, dict) or given.get("use", "sig") != "sig":
        return None
    kid, only, kind = given.get("kid"), given.get("alg"), given.get("kty")
    if not isinstance(kid, str | None) or not isinstance(only, str | None):
        return None
    if not isinstance(kind, str) or kind not in _PUBLIC:
        return None
    public = {name: given.get(name) for name in _PUBLIC[kind]}
    if not all(isinstance(value, str) for value in public.values()):
        return None
    key = VerificationKey(kid, {"kty": kind, **{n: str(v) for n, v in public.items()}}, only)
    return key if _is_sound(key) else None


def read_set(given: Any) -> list[VerificationKey]:
    """The keys of a JSON web key set by which signatures can be checked; none if it is no set."""
    keys = given.get("keys") if isinstance(given, dict) else None
    if not isinstance(keys, list):
        return []
    return [key for one in keys[:_MOST_KEYS] if (key := read_key(one)) is not None]


def new_pair(algorithm: str) -> tuple[bytes, dict[str, str]]:
    """A new private key (PKCS #8) for this algorithm of SIGNING, and its public JWK."""
    private: Any
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
        written = jwt.algorithms.OKPAlgorithm.to_jwk(private.public_key(), as_dict=True)
    else:
        private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        written = jwt.algorithms.RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    kind = written["kty"]
    public = {"kty": kind, **{name: written[name] for name in _PUBLIC[kind]}}
    closed = private.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return closed, {**public, "use": "sig", "alg": algorithm, "kid": thumbprint(public)}


def open_private(closed: bytes) -> Any:
    """The private key that `new_pair` made."""
    return serialization.load_der_private_key(closed, password=None)


def thumbprint(public: Mapping[str, str]) -> str:
    """RFC 7638: the name of a key, made of nothing but the key."""
    written = json.dumps(dict(sorted(public.items())), separators=(",", ":"))
    return base64.urlsafe_b64encode(sha256(written.encode()).digest()).decode().rstrip("=")


def _is_sound(key: VerificationKey) -> bool:
    algorithm = next((one for one in ALGORITHMS if key.fits(one)), None)
    if algorithm is None:
        return False
    try:
        checking = key.checking(algorithm)
    except (jwt.PyJWTError, ValueError):
        return False
    assert checking is not None
    return not isinstance(checking.key, rsa.RSAPublicKey) or checking.key.key_size in _RSA_BITS
