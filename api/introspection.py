"""RFC 7662: a gateway asks about a token that it sends in a form, and shows one of its own."""

from urllib.parse import parse_qsl

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from api import verdicts
from api.credentials import LookUps, bearer_of
from api.errors import as_response
from core.errors import Forbidden, InvalidInput, KeyturnError, TooLarge, Unauthenticated
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins
from services.verify.verification import Reason, Rejected, Verified
from services.verify.verifier import Verifier

NEEDS = "virtual-account:read"

_LONGEST = 16_384  # bytes of a form


class Introspection:
    """Plain ASGI; needs `virtual-account:read` on the tenant, and knows its own tenant's tokens.

    Whatever else the token is, it is not active: why is nobody's business.
    """

    def __init__(self, runtime: Runtime, verifier: Verifier, logins: FailedLogins) -> None:
        self._runtime = runtime
        self._verifier = verifier
        self._look_ups = LookUps(verifier, logins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response: Response
        try:
            response = JSONResponse(await self._answer(scope, receive))
        except KeyturnError as error:
            response = as_response(error)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive) -> dict[str, object]:
        caller = await self._caller(scope)
        asked = _token_in(await _body(receive))
        found = await self._look_ups.find(scope, asked, may_fail=True)
        verdict = found if isinstance(found, Rejected) else found.verdict
        if isinstance(verdict, Rejected) or verdict.tenant_id != caller.tenant_id:
            unknown = Reason.UNKNOWN  # to this caller
            reason = verdict.reason if isinstance(verdict, Rejected) else unknown
            self._runtime.metrics.verified("introspect", reason)
            return {"active": False}
        self._runtime.metrics.verified("introspect", "good")
        self._runtime.uses.count(verdict.token_id, None, None, "introspect")
        return verdicts.introspected(verdict, self._runtime.settings.public_url)

    async def _caller(self, scope: Scope) -> Verified:
        found = await self._look_ups.find(scope, bearer_of(scope["headers"]))
        verdict = found if isinstance(found, Rejected) else found.verdict
        if isinstance(verdict, Rejected):
            raise Unauthenticated(verdict.reason.value)
        held = await self._verifier.find_permits(verdict)
        if not held.permits.allow_everywhere(NEEDS):
            raise Forbidden(f"This needs {NEEDS} on the tenant.")
        return verdict


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > _LONGEST:
            raise TooLarge
    return body


def _token_in(form: bytes) -> bytes:
    given = parse_qsl(form.decode("latin-1"), keep_blank_values=True)
    tokens = [value for name, value in given if name == "token"]
    if len(tokens) != 1 or not tokens[0]:
        raise InvalidInput("token", "send it once, as a form: token=...")
    return tokens[0].encode("utf-8", "replace")
