"""An identity provider on loopback that issues whatever a test wants, and turns its keys."""

import json
from datetime import datetime, timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

from core.jwks import new_pair, open_private
from tests.support.http_double import Answer, HttpDouble, Request

AUDIENCE = "keyturn.example.com/acme"
DISCOVERY = "/.well-known/openid-configuration"
JWKS = "/jwks"
TOKEN = "/token"
USER = "/userinfo"


class SigningPair:
    """A key pair of an issuer."""

    def __init__(self, kid: str, algorithm: str = "EdDSA") -> None:
        self.kid, self.algorithm = kid, algorithm
        self.private: Any
        if algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = jwt.algorithms.ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            closed, public = new_pair(algorithm)
            self.private = open_private(closed)
        self.public = {**public, "kid": kid, "use": "sig", "alg": algorithm}

    def sign(self, claims: dict[str, Any], **header: Any) -> str:
        return self.sign_text(json.dumps(claims), kid=self.kid, **header)

    def sign_text(self, claims: str, **header: Any) -> str:
        """The same of claims that may be no JSON at all."""
        return jwt.api_jws.encode(claims.encode(), self.private, self.algorithm, headers=header)


class Issuer(HttpDouble):
    """`now` is the moment of its clock; keys are published as soon as they sign."""

    def __init__(self, now: datetime, *, audience: str = AUDIENCE, tls: Any = None) -> None:
        super().__init__(tls=tls)
        self.now = now
        self.audience = audience
        self.keys = [SigningPair("key-1")]

    def answer(self, request: Request) -> Answer:
        if request.path == DISCOVERY:
            places = {"jwks_uri": JWKS, "token_endpoint": TOKEN, "userinfo_endpoint": USER}
            places |= {"authorization_endpoint": "/authorize?a=b"}
            told = {name: f"{self.url}{path}" for name, path in places.items()}
            return Answer.of({"issuer": self.url, **told})
        if request.path == JWKS:
            return Answer.of({"keys": [key.public for key in self.keys]})
        return self.refusal(404)

    @property
    def fetches(self) -> int:
        """How often its keys were fetched."""
        return len(self.seen(f"GET {JWKS}"))

    def rotate(self, algorithm: str = "EdDSA") -> None:
        """A new key signs; the old ones are gone."""
        self.keys = [SigningPair(f"key-{int(self.keys[-1].kid[4:]) + 1}", algorithm)]

    def claims(self, **claims: Any) -> dict[str, Any]:
        """Good ones, for 10 minutes; None takes one away."""
        usual = {
            "iss": self.url,
            "aud": self.audience,
            "sub": "repo:acme/app:ref:refs/heads/main",
            "iat": int(self.now.timestamp()),
            "exp": int((self.now + timedelta(minutes=10)).timestamp()),
        }
        return {name: value for name, value in (usual | claims).items() if value is not None}

    def issue(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A JWT of its newest key."""
        return self.keys[-1].sign(self.claims(**claims), **(header or {}))


def segments(text: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header, claims and signature of a JWT."""
    header, claims, signature = text.split(".")
    return _decoded(header), _decoded(claims), signature


def _decoded(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(jwt.utils.base64url_decode(part))
    return found


def encoded(document: Any) -> str:
    """A part of a JWT, of anything."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return jwt.utils.base64url_encode(raw).decode()
