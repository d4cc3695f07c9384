"""Slack's own client library, kept to our rules, and its errors turned into ours.

The library follows redirects with the bearer token, reads answers of any length, logs what it
sends, and waits as long as the other side says something now and then. Here it does none of it.
"""

import http.client
import json
import logging
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from functools import partial
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.error import URLError
from urllib.request import (
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from slack_sdk import WebClient, WebhookClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.webhook import WebhookResponse

from core.errors import DestinationRefused, Permanent, PlaceRefused, SendFailed, Transient
from notifiers.wire import Deadline, quoted, trusting

_LONGEST_ANSWER = 65_536
_LONGEST_WAIT = timedelta(hours=1)
_UNREADABLE = "unreadable_answer"  # ours: no JSON object, so it is not Slack that answered

# https://docs.slack.dev/reference/methods/chat.postMessage#errors
_PASSING = frozenset(
    {
        "fatal_error",
        "internal_error",
        "request_timeout",
        "service_unavailable",
        "team_added_to_org",
    }
)
_THROTTLED = frozenset({"rate_limited", "ratelimited"})
_EVERYTHING = frozenset(
    {
        "access_denied",
        "account_inactive",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_auth",
        "invalid_token",
        "missing_scope",
        "no_permission",
        "no_service",
        "no_team",
        "not_allowed_token_type",
        "not_authed",
        "org_login_required",
        "team_access_not_granted",
        "token_expired",
        "token_revoked",
        "two_factor_setup_required",
        "unknown_method",
        _UNREADABLE,
    }
)

# Outside the tree, so that nothing of the process makes it speak.
_silent = logging.Logger("keyturn.slack", logging.CRITICAL + 1)  # noqa: LOG001


class BotClient(WebClient):
    """The Web API as one bot; every answer, whatever its status, is a JSON object."""

    def __init__(self, token: str, base_url: str, deadline: Deadline, ca_bundle: str) -> None:
        super().__init__(token, base_url, logger=_silent, retry_handlers=[])
        self._post = partial(_post, deadline=deadline, trust=trusting(ca_bundle))

    def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Any]:
        status, headers, body = self._post(req)
        if not _is_object(body):
            body = json.dumps({"ok": False, "error": _UNREADABLE})
        return {"status": status, "headers": headers, "body": body}


class HookClient(WebhookClient):
    """One incoming webhook."""

    def __init__(self, url: str, deadline: Deadline, ca_bundle: str) -> None:
        super().__init__(url, logger=_silent, retry_handlers=[])
        self._post = partial(_post, deadline=deadline, trust=trusting(ca_bundle))

    def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
        status, headers, body = self._post(req)
        return WebhookResponse(url=url, status_code=status, body=body, headers=headers)


class _AnyAnswer(HTTPErrorProcessor):
    """Takes every status for an answer: nothing is raised, no redirect is followed."""

    def http_response(self, request: Request, response: Any) -> Any:
        return response

    https_response = http_response


class _Plain(HTTPHandler):
    def __init__(self, make: Callable[..., http.client.HTTPConnection]) -> None:
        super().__init__()
        self._make = make

    def http_open(self, request: Request) -> Any:
        return self.do_open(self._make, request)


class _Encrypted(HTTPSHandler):
    def __init__(self, make: Callable[..., http.client.HTTPConnection]) -> None:
        super().__init__()
        self._make = make

    def https_open(self, request: Request) -> Any:
        return self.do_open(self._make, request)


def _post(
    request: Request, *, deadline: Deadline, trust: ssl.SSLContext
) -> tuple[int, dict[str, str], str]:
    """Status, headers by small name, and the first 64 KiB; the environment's proxy is not used."""
    with ExitStack() as opened:

        def dialled(kind: Callable[..., Any], host: str, **how: Any) -> Any:
            connection = kind(host, **how)
            connection._create_connection = deadline.connect  # noqa: SLF001 - the one place to dial
            opened.callback(connection.close)
            return connection

        opener = build_opener(
            ProxyHandler({}),
            _AnyAnswer(),
            _Plain(partial(dialled, http.client.HTTPConnection)),
            _Encrypted(partial(dialled, http.client.HTTPSConnection, context=trust)),
        )
        response = opened.enter_context(opener.open(request))
        body = response.read(_LONGEST_ANSWER).decode(errors="replace")
        return response.status, {k.lower(): v for k, v in response.headers.items()}, body


def _is_object(body: str) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except ValueError:
        return False


@contextmanager
def translated(*secrets: str) -> Iterator[None]:
    """Whatever the client raises inside becomes one of our errors, without the secrets."""
    try:
        yield
    except SlackApiError as error:
        answer: Any = error.response
        said = str(answer.data.get("error") or "no reason given")
        raise _ours(answer.status_code, answer.headers, said, secrets) from None
    except (OSError, http.client.HTTPException) as error:
        raise _unreached(error) from None
    except (SlackClientError, ValueError) as error:
        raise DestinationRefused(f"Slack cannot be called ({type(error).__name__})") from None


def refuse_hook(response: WebhookResponse, *secrets: str) -> NoReturn:
    """Raises what a webhook's answer other than `ok` means.

    It has one channel only, so what Slack says of that one is said of everything; only a
    message that Slack cannot read (400) is that message's own trouble.
    """
    error = _ours(response.status_code, response.headers, response.body, secrets)
    if isinstance(error, Permanent):
        unreadable = response.status_code == HTTPStatus.BAD_REQUEST
        error = (PlaceRefused if unreadable else DestinationRefused)(str(error))
    raise error


def _ours(status: int, headers: dict[str, str], said: str, secrets: tuple[str, ...]) -> SendFailed:
    """The one place that says what Slack's refusals mean."""
    word = quoted(said, secrets)
    if status == HTTPStatus.TOO_MANY_REQUESTS or word in _THROTTLED:
        wait = _retry_after(headers)
        return Transient(f"Slack wants a pause ({word})", retry_after=wait, throttled=True)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or word in _PASSING:
        return Transient(f"Slack is in trouble: {status} {word}")
    if word in _EVERYTHING or status != HTTPStatus.OK:
        return DestinationRefused(f"Slack refused: {status} {word}")
    return PlaceRefused(f"Slack refused: {word}")


def _retry_after(headers: dict[str, str]) -> timedelta | None:
    """What was asked for, at most an hour; None if it is no number of seconds."""
    asked = headers.get("retry-after", "")
    if not (asked.isascii() and asked.isdigit()):
        return None
    return min(timedelta(seconds=int(asked[:9])), _LONGEST_WAIT)


def _unreached(error: Exception) -> SendFailed:
    reason = error.reason if isinstance(error, URLError) else error
    if isinstance(reason, ssl.SSLCertVerificationError):
        return DestinationRefused(f"the certificate is not trusted ({reason.verify_message})")
    named = getattr(reason, "strerror", None) or type(reason).__name__
    return Transient(f"Slack did not answer ({named})")
