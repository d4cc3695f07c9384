"""Keyturn as an OpenID Connect client: where a browser is sent, and what its code is traded for."""

import base64
import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlencode

from core.errors import InvalidInput, SendFailed, Unready
from core.tokens import Token
from services.identity.discovery import discover, endpoint
from services.identity.provider_calls import ask
from services.identity.trusted_providers import Trusted
from services.runtime import Runtime

_BASIC = "client_secret_basic"
_OK, _ITS_OWN_FAULT = 200, 500  # statuses


class Login:
    """One login by the code flow with PKCE; all its values are made of what the browser keeps.

    They tell nothing of each other or of the secret. Unready where the provider does not answer.
    """

    def __init__(self, runtime: Runtime, provider: Trusted, kept: Token, redirect_uri: str) -> None:
        sign_in = provider.manifest.sign_in
        assert sign_in is not None
        self.provider = provider
        self._dialer = runtime.ports.dialer
        self._sign_in = sign_in
        self._kept = kept
        self._redirect_uri = redirect_uri
        with self._answering():
            self._document = discover(self._dialer, provider.manifest)

    @property
    def nonce(self) -> str:
        """What the ID token has to say, so that it is this login's."""
        return made_of(self._kept, "nonce")

    def url(self) -> str:
        """Where the browser goes."""
        verifier = made_of(self._kept, "verifier")
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self._sign_in.client_id,
                "redirect_uri": self._redirect_uri,
                "scope": " ".join(self._sign_in.scopes),
                "state": made_of(self._kept, "state"),
                "nonce": self.nonce,
                "code_challenge": _base64(sha256(verifier.encode()).digest()),
                "code_challenge_method": "S256",
            }
        )
        with self._answering():
            address = endpoint(self._document, "authorization_endpoint")
        return f"{address}{'&' if '?' in address else '?'}{query}"

    def redeem(self, code: str, secret: str | None) -> Mapping[str, Any]:
        """What the provider gives for the code; InvalidInput if it does not take it."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "code_verifier": made_of(self._kept, "verifier"),
        }
        headers = {}
        client_id = self._sign_in.client_id
        methods = self._document.get("token_endpoint_auth_methods_supported", [_BASIC])
        if secret and _BASIC in methods:
            login = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(login.encode()).decode()}"
        else:
            form |= {"client_id": client_id, **({"client_secret": secret} if secret else {})}
        with self._answering():
            status, answer = self._ask("token_endpoint", headers, form)
        if status >= _ITS_OWN_FAULT:
            raise Unready(f"{self.provider.name} answered {status}.")
        if status != _OK:
            raise InvalidInput("code", f"{self.provider.name} does not take it: begin again")
        return answer

    def with_address(self, claims: Mapping[str, Any], access_token: Any) -> Mapping[str, Any]:
        """The claims with the person's address, which some providers tell elsewhere alone."""
        if "email" in claims or not isinstance(access_token, str) or not access_token.isascii():
            return claims
        with self._answering():
            _, told = self._ask("userinfo_endpoint", {"Authorization": f"Bearer {access_token}"})
        if not told.get("sub") or told["sub"] != claims.get("sub"):
            return claims  # somebody else's
        return {**claims, **{name: told.get(name) for name in ("email", "email_verified")}}

    def _ask(
        self, where: str, headers: Mapping[str, str], form: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, Any]]:
        url = endpoint(self._document, where)
        trust = self.provider.manifest.ca_bundle
        return ask(self._dialer, url, ca_bundle=trust, form=form, headers=headers)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        try:
            yield
        except SendFailed as error:
            raise Unready(f"{self.provider.name}: {error}") from None


def made_of(kept: Token, what: str) -> str:
    """One of the values of a login."""
    return _base64(hmac.digest(kept.reveal().encode(), what.encode(), "sha256"))


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
