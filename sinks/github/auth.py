"""How GitHub knows Keyturn: by a token, or as an App that gets its tokens by signing."""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from core.clock import Clock
from core.errors import DestinationRefused, Transient
from core.plugins import PEM

_SENDABLE = re.compile(r"[!-~]{1,4096}")
_FEWEST_BITS = 2048
# A JWT may live for ten minutes, and is best dated back by one
# (docs.github.com, "Generating a JSON Web Token (JWT) for a GitHub App").
_DATED_BACK = timedelta(minutes=1)
_JWT_LIFE = timedelta(minutes=8)
_TOKEN_LIFE = timedelta(hours=1)


def _token(given: SecretStr) -> SecretStr:
    if not _SENDABLE.fullmatch(given.get_secret_value()):
        raise ValueError("a token is printable ASCII without spaces")
    return given


def _rsa(given: SecretStr) -> SecretStr:
    try:
        key = load_pem_private_key(given.get_secret_value().encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _FEWEST_BITS:
        raise ValueError(
            f"give the App's private key itself as PEM text: RSA of {_FEWEST_BITS} bits or more, "
            "without a passphrase"
        )
    return given


def _as_text(given: Any) -> Any:
    return str(given) if isinstance(given, int) else given


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TokenAuth(_Auth):
    """A fine-grained personal access token."""

    type: Literal["token"] = "token"
    token: Annotated[SecretStr, AfterValidator(_token)]

    @property
    def owner(self) -> str:
        """Whose limits count; tells one token from another, and nothing about it."""
        return hashlib.sha256(self.token.get_secret_value().encode()).hexdigest()[:12]


class AppAuth(_Auth):
    """A GitHub App that is installed where the secrets are."""

    type: Literal["app"] = "app"
    app_id: Annotated[str, BeforeValidator(_as_text), Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")] = (
        Field(description="The App's id or client id.")
    )
    installation_id: int = Field(ge=1, description="Where it is installed.")
    private_key: Annotated[SecretStr, Field(max_length=20_000), AfterValidator(_rsa)] = Field(
        description="The App's private key as PEM text.", json_schema_extra=PEM
    )

    @property
    def owner(self) -> str:
        """Whose limits count."""
        return f"installation-{self.installation_id}"

    def signed(self, now: datetime) -> str:
        """A JWT by which the App itself logs in."""
        about = {"iss": self.app_id, "iat": now - _DATED_BACK, "exp": now + _JWT_LIFE}
        return jwt.encode(about, self.private_key.get_secret_value(), algorithm="RS256")


@dataclass(frozen=True, eq=False)
class Lease:
    """A token of the installation, and when two thirds of its life are over (boot clock)."""

    token: SecretStr
    renew_at: float
    may: Mapping[str, str]


class Login:
    """Gives one installation token to all threads. Who waits for another's waits one call."""

    def __init__(self, auth: AppAuth) -> None:
        self._auth = auth
        self._lock = threading.Lock()
        self._lease: Lease | None = None

    def lease(
        self,
        exchange: Callable[[str], dict[str, Any]],
        clock: Clock,
        *,
        wait: float,
        refused: Lease | None = None,
    ) -> Lease:
        """A token that works now: not the `refused` one, which GitHub turned away.

        `exchange` answers what GitHub says to a JWT.
        """
        if not self._lock.acquire(timeout=wait):
            raise Transient("Another send is still logging in to GitHub.")
        try:
            kept = self._lease
            if kept is None or kept is refused or clock.elapsed() >= kept.renew_at:
                self._lease = kept = _leased(exchange(self._auth.signed(clock.now())), clock)
            return kept
        finally:
            self._lock.release()


def _leased(said: dict[str, Any], clock: Clock) -> Lease:
    token, may = said.get("token"), said.get("permissions")
    if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
        raise DestinationRefused("base_url does not answer an App's login as GitHub would.")
    return Lease(
        token=SecretStr(token),
        renew_at=clock.elapsed() + _life(said.get("expires_at"), clock).total_seconds() * 2 / 3,
        may=may if isinstance(may, dict) else {},
    )


def _life(until: Any, clock: Clock) -> timedelta:
    """How long a token lives from now on: an hour at most, as GitHub documents it."""
    try:
        left = datetime.fromisoformat(until) - clock.now()
    except (TypeError, ValueError):
        return _TOKEN_LIFE
    return min(left, _TOKEN_LIFE)
