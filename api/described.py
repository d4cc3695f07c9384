"""The words of the OpenAPI document: what areas there are, what refusals mean, examples."""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

DESCRIPTION = """\
Keyturn issues API keys and turns them on schedule, without anybody noticing an outage.

Calls carry `Authorization: Bearer <token>`. What belongs to another tenant is 404. Every answer
carries `X-Request-Id`; the log has the same id.
"""

TAGS = [
    {"name": name, "description": sentence}
    for name, sentence in {
        "activity": "What has happened, and what was sent because of it.",
        "audit": "Who did what to what, in a chain that shows whether it was changed.",
        "health": "What load balancers ask.",
        "JWTs": "What offline verifiers read: published keys, and tokens that ended early.",
        "identity providers": "Whose JWTs the tenant takes beside its own tokens.",
        "integrations": "Secret stores and notification channels, and whether they answer.",
        "leaks": "Reports of tokens that were found where they should not be.",
        "login": "Logging in without a browser, by another's token, and logging out.",
        "manifests": "Anything that a manifest describes: created, updated or deleted.",
        "personal access tokens": "People's own keys, which may do what their owners may.",
        "roles": "Roles of the tenant's own, and who holds what by a manifest.",
        "secret groups": "Groups of secrets in the built-in store.",
        "secrets": "Secrets of the built-in store, in versions.",
        "settings": "What a tenant allows to keys, tokens and logins.",
        "start-up": "What clients ask before they do anything.",
        "teams": "Teams, and what people hold by them and otherwise.",
        "users": "The people of a tenant, and their roles.",
        "verify": "What gateways ask: whether a bearer token is good.",
        "virtual accounts": "Machines' accounts, and their tokens that turn by themselves.",
    }.items()
]


@dataclass(frozen=True)
class Refusal:
    """One way to be refused. `headers` come with it."""

    status: HTTPStatus
    means: str
    headers: dict[str, str] = field(default_factory=dict)


_COME_BACK = {"Retry-After": "How many seconds to wait."}
REFUSALS = {
    "Unauthenticated": Refusal(
        HTTPStatus.UNAUTHORIZED, "No good bearer token.", {"WWW-Authenticate": "How to log in."}
    ),
    "Forbidden": Refusal(HTTPStatus.FORBIDDEN, "The token is good, a permission is lacking."),
    "NotFound": Refusal(
        HTTPStatus.NOT_FOUND, "There is no such thing here; another tenant's is not here either."
    ),
    "Conflict": Refusal(HTTPStatus.CONFLICT, "The present state does not allow it."),
    "Stale": Refusal(HTTPStatus.PRECONDITION_FAILED, "It was changed since it was read."),
    "TooLarge": Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    "Invalid": Refusal(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "A field is wrong; `details` says which and what it allows.",
    ),
    "Throttled": Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "Too many logins from here have failed.", _COME_BACK
    ),
    "Unready": Refusal(
        HTTPStatus.SERVICE_UNAVAILABLE, "A part that this needs does not answer.", _COME_BACK
    ),
}

# Refusals that the kind of call does not tell.
MORE: dict[str, tuple[HTTPStatus, ...]] = {
    "GET /api/svc/v1/virtual-accounts/{account_id}/token": (HTTPStatus.CONFLICT,),
    "POST /api/v1/leaks": (HTTPStatus.TOO_MANY_REQUESTS,),
}

_ACCOUNT = {
    "type": "virtual-account",
    "name": "ci-bot",
    "auto_rotate": {"interval": "60d", "grace": "7d"},
}
_PROVIDER = {
    "type": "provider-account/custom",
    "name": "local",
    "integrations": [{"type": "integration/notification-channel/console", "name": "console"}],
}
_TEAM = {"type": "team", "name": "platform", "members": []}
_ROLE = {
    "type": "role",
    "name": "token-reader",
    "display_name": "Token reader",
    "description": "Reads the tokens of virtual accounts.",
    "resource_type": "virtual-account",
    "permissions": ["virtual-account:read", "virtual-account:read-token"],
}
EXAMPLES: dict[str, dict[str, Any]] = {
    "PUT /api/svc/v1/virtual-accounts": {"rotating": {"manifest": _ACCOUNT}},
    "PUT /api/svc/v1/apply": {
        "virtual account": {"manifest": _ACCOUNT},
        "provider account": {"manifest": _PROVIDER, "dryRun": True},
    },
    "POST /api/svc/v1/virtual-accounts/{account_id}/regenerate-token": {
        "at once": {"gracePeriodInMinutes": 0},
        "in an hour": {"gracePeriodInMinutes": 60},
    },
    "POST /api/svc/v1/virtual-accounts/rotate": {
        "only look": {"dryRun": True},
        "some": {"nameSearchQuery": "ci-", "before": "2026-03-02T09:00:00Z"},
    },
    "POST /api/svc/v1/users/register": {"somebody": {"email": "ada@example.com"}},
    "PUT /api/svc/v1/teams": {"team": {"manifest": _TEAM}},
    "PUT /api/svc/v1/roles": {"role": {"manifest": _ROLE}},
    "PUT /api/svc/v1/settings/security": {
        "short keys": {"smallestInterval": "1h", "smallestGrace": "10m"}
    },
}
