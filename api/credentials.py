"""The one token that a call of a gateway carries: read from raw headers, and looked up."""

from collections.abc import Iterable

from starlette.types import Scope

from core.tokens import recognise
from services.verify.failed_logins import FailedLogins
from services.verify.verification import Reason, Rejected
from services.verify.verifier import Answer, Verifier

Headers = Iterable[tuple[bytes, bytes]]

_BEARER = b"bearer"


def bearer_of(headers: Headers) -> bytes | Rejected:
    """The token of the Authorization header."""
    return _only(_bearers(headers))


def bearer_or_key_of(headers: Headers) -> bytes | Rejected:
    """The same, or of X-API-Key, where some clients send it."""
    headers = list(headers)
    keys = (value.strip() for name, value in headers if name == b"x-api-key")
    return _only([*_bearers(headers), *filter(None, keys)])


class LookUps:
    """Looks tokens up, for clients behind a trusted proxy only as often as they may fail.

    Anywhere else all clients of a gateway share its address, so that nothing is limited.
    """

    def __init__(self, verifier: Verifier, logins: FailedLogins) -> None:
        self._verifier = verifier
        self._logins = logins

    async def find(
        self, scope: Scope, text: bytes | Rejected, *, may_fail: bool = False
    ) -> Answer | Rejected:
        """What the token is; garbage is refused by its form alone. Throttled, or Unready.

        One that `may_fail` is not limited: somebody who logged in asks about it.
        """
        if isinstance(text, Rejected):
            return text
        token = recognise(text.decode("latin-1"))
        if token is None:
            return Rejected(Reason.MALFORMED)
        is_limited = scope["state"]["through_proxy"] and not may_fail
        address = scope["client"][0] if is_limited else None
        if is_limited:
            self._logins.admit(token, address, per_token=False)
        answer = await self._verifier.find(token)
        if is_limited:
            self._logins.remember(token, answer.verdict, address, per_token=False)
        return answer


def _bearers(headers: Headers) -> list[bytes]:
    found = []
    for name, value in headers:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == _BEARER:
                found.append(token.strip())
    return [token for token in found if token]


def _only(tokens: list[bytes]) -> bytes | Rejected:
    """Two that differ are refused: nobody knows which of them is read behind the gateway."""
    if not tokens:
        return Rejected(Reason.MISSING)
    if len(tokens) > 1 and len(set(tokens)) > 1:
        return Rejected(Reason.MALFORMED)
    return tokens[0]
