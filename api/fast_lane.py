"""The calls that gateways make for every request of theirs, answered in front of everything else.

What is in memory is answered by bytes that are ready, without waiting for anything but `send`.
The rest takes the ordinary way around: request ids, errors, limits for clients behind a proxy.
"""

from collections.abc import Callable
from hashlib import sha256

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api import verdicts
from api.credentials import Headers, LookUps, bearer_of, bearer_or_key_of
from api.errors import as_response
from api.introspection import Introspection
from api.questions import Question, asks_for_roles, question_of
from api.request_ids import RequestIds, name_client, request_id_of
from api.verdicts import Ready
from core.errors import InvalidInput, KeyturnError
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins
from services.verify.verification import Rejected, Verified
from services.verify.verifier import Answer, Held, Verifier

VERIFY = "/api/v1/verify"
INTROSPECT = "/api/v1/introspect"
FORWARD_AUTH = "/api/v1/forward-auth"

_BELOW = f"{FORWARD_AUTH}/"


class FastLane:
    """Plain ASGI for these paths; `of` says which application a call goes to, if it is one."""

    def __init__(self, runtime: Runtime, verifier: Verifier, logins: FailedLogins) -> None:
        parts = (runtime, verifier, logins)
        self._verify = Lane(*parts, surface="verify", read=bearer_of, show=verdicts.told)
        self._forward = Lane(*parts, surface="gateway", read=bearer_or_key_of, show=verdicts.passed)
        self._introspect = RequestIds(Introspection(runtime, verifier, logins), runtime)

    def of(self, scope: Scope) -> ASGIApp | None:
        """The application that answers this call; None: not one of these."""
        if scope["type"] != "http":
            return None
        path = scope["path"]
        if path == VERIFY:
            return self._verify if scope["method"] == "GET" else None
        if path == FORWARD_AUTH or path.startswith(_BELOW):
            return self._forward
        if path == INTROSPECT and scope["method"] == "POST":
            return self._introspect
        return None


class Lane:
    """One of the two calls that only ask about the token that they carry."""

    def __init__(
        self,
        runtime: Runtime,
        verifier: Verifier,
        logins: FailedLogins,
        *,
        surface: str,
        read: Callable[[Headers], bytes | Rejected],
        show: Callable[[Answer, bool], Ready],
    ) -> None:
        self._runtime = runtime
        self._proxies = runtime.settings.trusted_proxies
        self._verifier = verifier
        self._look_ups = LookUps(verifier, logins)
        self._surface = surface
        self._read = read
        self._show = show
        self._around = RequestIds(self._ordinary, runtime)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        text = self._read(scope["headers"])
        answer = None if isinstance(text, Rejected) else self._verifier.recall(_hash(text))
        ready = None if answer is None else self._at_once(scope, answer)
        if ready is None:
            await self._around(scope, receive, send)
            return
        status, (headers, body) = ready
        request_id, user_agent = _said(scope["headers"])
        if answer and isinstance(answer.verdict, Rejected):
            self._tally(answer.verdict.reason)
        elif answer and isinstance(answer.verdict, Verified):
            if self._proxies:
                name_client(scope, self._proxies)
            self._count(scope, answer.verdict, user_agent)
        headers = [*headers, (b"x-request-id", request_id_of(request_id).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _at_once(self, scope: Scope, answer: Answer) -> tuple[int, Ready] | None:
        """What can be said without a look-up; None: it takes the ordinary way."""
        if isinstance(answer.verdict, Rejected):
            # Behind a proxy it counts as failed.
            return None if self._proxies else (401, verdicts.ready_refusal(answer.verdict))
        if not scope["query_string"]:
            return 200, self._show(answer, False)
        try:
            question = _question(scope)
            if self._asks_for_roles(scope):
                return None
        except InvalidInput:
            return None
        if question is not None:
            held = self._verifier.recall_permits(answer.verdict)
            if held is None or not _allows(held, question, scope):
                return None
        return 200, self._show(answer, question is not None)

    async def _ordinary(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await self._respond(scope)
        except KeyturnError as error:
            response = as_response(error)
        await response(scope, receive, send)

    async def _respond(self, scope: Scope) -> Response:
        question, with_roles = _question(scope), self._asks_for_roles(scope)
        answer = await self._look_ups.find(scope, self._read(scope["headers"]))
        if isinstance(answer, Rejected):
            return self._refuse(answer)
        if isinstance(answer.verdict, Rejected):
            return self._refuse(answer.verdict)
        if question is not None:
            held = await self._verifier.find_permits(answer.verdict)
            if not _allows(held, question, scope):
                self._tally("forbidden")
                return verdicts.forbidden(question.action_for(scope["headers"]), question.fqn)
        self._count(scope, answer.verdict, _said(scope["headers"])[1])
        headers, body = self._show(answer, question is not None)
        if with_roles:
            held = await self._verifier.find_permits(answer.verdict)
            headers, body = verdicts.told_with_roles(answer, held, question is not None)
        response = Response(body)
        response.raw_headers = list(headers)
        return response

    def _refuse(self, rejected: Rejected) -> Response:
        self._tally(rejected.reason)
        return verdicts.refused(rejected)

    def _asks_for_roles(self, scope: Scope) -> bool:
        """Headers have no room for them: forward-auth tells none."""
        return self._surface == "verify" and asks_for_roles(scope["query_string"])

    def _count(self, scope: Scope, verified: Verified, user_agent: str) -> None:
        self._tally("good")
        client = scope.get("client")
        address = client[0] if client else None
        self._runtime.uses.count(verified.token_id, address, user_agent or None, self._surface)

    def _tally(self, result: str) -> None:
        self._runtime.metrics.verified(self._surface, result)


def _hash(text: bytes) -> bytes:
    return sha256(text).digest()


def _said(headers: Headers) -> tuple[str, str]:
    """The caller's id of the request, and what it says of itself."""
    request_id = user_agent = b""
    for name, value in headers:
        if name == b"x-request-id":
            request_id = value
        elif name == b"user-agent":
            user_agent = value
    return request_id.decode("latin-1"), user_agent.decode("latin-1")


def _question(scope: Scope) -> Question | None:
    """Below forward-auth's own path, the query is the original request's, and asks nothing."""
    if scope["path"].startswith(_BELOW) or not scope["query_string"]:
        return None
    return question_of(scope["query_string"])


def _allows(held: Held, question: Question, scope: Scope) -> bool:
    action = question.action_for(scope["headers"])
    return held.allows(action, question.resource_type, question.fqn)
