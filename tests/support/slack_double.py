"""A Slack workspace: the Web API a bot uses to post, and incoming webhooks."""

import json
import math
import ssl
import time
from collections.abc import Callable
from typing import Any

from tests.support.http_double import Answer, HttpDouble, Request

SCOPES = {
    "auth.test": "",
    "chat.postMessage": "chat:write",
    "users.lookupByEmail": "users:read.email",
    "conversations.open": "im:write",
}
EVERY_SCOPE = frozenset(scope for scope in SCOPES.values() if scope)
LONGEST_TEXT = 40_000
SECONDS_PER_MESSAGE = 1.0


def page(status: int) -> Answer:
    """The HTML that a load balancer shows in the service's stead."""
    return Answer.of(f"<!DOCTYPE html><html><h1>{status}</h1></html>", status, "text/html")


def refused(error: str, **more: Any) -> Answer:
    """Slack's way of saying no: HTTP 200 and the reason in the body."""
    return Answer.of({"ok": False, "error": error, **more})


class SlackDouble(HttpDouble):
    """A workspace; with `limit`, a channel or webhook takes one message per second of `clock`.

    A channel's state, or a webhook's, is "ok" or the error that posting there gets, as in
    `not_in_channel`, `is_archived`; for webhooks `action_prohibited`, `channel_is_archived`.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(tls=tls)
        self.clock = clock
        self.limit = False
        self.messages: list[tuple[str, dict[str, Any]]] = []
        self.webhook_messages: list[tuple[str, dict[str, Any]]] = []
        self.channels: dict[str, str] = {}
        self.users: dict[str, str] = {}
        self.webhooks: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._scopes: dict[str, frozenset[str]] = {}
        self._dead_tokens: dict[str, str] = {}
        self._last_post: dict[str, float] = {}

    @property
    def api_url(self) -> str:
        """What the client library calls `base_url`."""
        return f"{self.url}/api/"

    def allow_token(self, token: str, scopes: frozenset[str] = EVERY_SCOPE) -> None:
        self._dead_tokens.pop(token, None)
        self._scopes[token] = scopes

    def reject_token(self, token: str, error: str = "token_revoked") -> None:
        """The token was good once; `account_inactive` and the like are other reasons."""
        self._scopes.pop(token, None)
        self._dead_tokens[token] = error

    def rotate_token(self, old: str, new: str) -> None:
        """From now on only the new token is good."""
        self.allow_token(new, self._scopes.get(old, EVERY_SCOPE))
        self.reject_token(old)

    def add_channel(self, channel: str, *, name: str = "", state: str = "ok") -> None:
        """A channel by id; it can be written to as `name` and `#name` as well."""
        self.channels[channel] = state
        self._names |= {name: channel, f"#{name}": channel} if name else {}

    def add_user(self, email: str, user: str) -> None:
        self.users[email] = user

    def add_webhook(self, path: str, state: str = "ok") -> str:
        """The URL to post to, for a path such as T0001/B0001/secret."""
        self.webhooks[path] = state
        return f"{self.url}/services/{path}"

    def refusal(self, status: int) -> Answer:
        return self._too_fast(SECONDS_PER_MESSAGE) if status == 429 else page(status)

    def answer(self, request: Request) -> Answer:
        if request.path.startswith("/services/"):
            return self._webhook(request.path.removeprefix("/services/"), request)
        method = request.path.removeprefix("/api/")
        if method not in SCOPES:
            return refused("unknown_method", req_method=method)
        arguments = self._arguments(request)
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        token = token or arguments.pop("token", "")
        no = self._unauthorised(token, SCOPES[method])
        if no is not None:
            return no
        called = {
            "auth.test": self._introduce,
            "chat.postMessage": self._post,
            "conversations.open": self._open,
            "users.lookupByEmail": self._look_up,
        }
        return called[method](arguments)

    def _introduce(self, _: dict[str, Any]) -> Answer:
        bot = {"user": "keyturn", "user_id": "U0BOT", "bot_id": "B0001"}
        team = {"url": f"{self.url}/", "team": "Keyturn", "team_id": "T0001"}
        return Answer.of({"ok": True, **bot, **team, "is_enterprise_install": False})

    def _arguments(self, request: Request) -> dict[str, Any]:
        kind = request.headers.get("Content-Type") or ""
        sent = request.json() if kind.startswith("application/json") else request.form()
        return {**request.query, **(sent or {})}  # auth.test: a JSON type and no body at all

    def _unauthorised(self, token: str, scope: str) -> Answer | None:
        if not token:
            return refused("not_authed")
        if token not in self._scopes:
            return refused(self._dead_tokens.get(token, "invalid_auth"))
        granted = self._scopes[token]
        if scope and scope not in granted:
            return refused("missing_scope", needed=scope, provided=",".join(sorted(granted)))
        return None

    def _post(self, payload: dict[str, Any]) -> Answer:
        named = payload.get("channel", "")
        channel = self._names.get(named, named)
        state = self.channels.get(channel, "channel_not_found")
        if state != "ok":
            return refused(state)
        if not any(payload.get(name) for name in ("text", "blocks", "attachments")):
            return refused("no_text")
        if len(payload.get("text") or "") > LONGEST_TEXT:
            return refused("msg_too_long")
        wait = self._wait(channel)
        if wait:
            return self._too_fast(wait)
        self.messages.append((channel, payload))
        stamp = f"{1_700_000_000 + len(self.messages)}.000100"
        message = {"type": "message", "bot_id": "B0001", "text": payload.get("text", "")}
        return Answer.of(
            {"ok": True, "channel": channel, "ts": stamp, "message": {**message, "ts": stamp}}
        )

    def _look_up(self, arguments: dict[str, Any]) -> Answer:
        email = arguments.get("email", "")
        if email not in self.users:
            return refused("users_not_found")
        profile = {"email": email}
        return Answer.of({"ok": True, "user": {"id": self.users[email], "profile": profile}})

    def _open(self, arguments: dict[str, Any]) -> Answer:
        user = arguments.get("users", "")
        if user not in self.users.values():
            return refused("user_not_found")
        direct = f"D{user.removeprefix('U')}"
        self.channels.setdefault(direct, "ok")
        return Answer.of({"ok": True, "channel": {"id": direct}})

    def _webhook(self, path: str, request: Request) -> Answer:
        state = self.webhooks.get(path, "no_service")
        statuses = {"action_prohibited": 403, "no_service": 404, "channel_is_archived": 410}
        if state != "ok":
            return Answer.of(state, statuses.get(state, 404))
        raw = request.body.decode()
        try:
            payload = json.loads(request.form()["payload"] if raw.startswith("payload=") else raw)
        except ValueError:
            return Answer.of("invalid_payload", 400)
        if not any(payload.get(name) for name in ("text", "blocks", "attachments")):
            return Answer.of("no_text", 400)
        wait = self._wait(path)
        if wait:
            return self._too_fast(wait)
        self.webhook_messages.append((path, payload))
        return Answer.of("ok")

    def _wait(self, place: str) -> float:
        """Seconds until the place takes another message; asking with none left takes the turn."""
        now = self.clock()
        wait = self._last_post.get(place, -math.inf) + SECONDS_PER_MESSAGE - now
        if self.limit and wait > 0:
            return wait
        self._last_post[place] = now
        return 0.0

    def _too_fast(self, wait: float) -> Answer:
        body = json.dumps({"ok": False, "error": "ratelimited"}).encode()
        headers = {"Content-Type": "application/json", "Retry-After": str(math.ceil(wait))}
        return Answer(429, body, headers)
