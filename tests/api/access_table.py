"""Who may make which call: every route has a row, and says here what it answers to whom.

`own` is about the caller's own tenant, `theirs` the same call with the names of another
tenant's things. The columns are:

    PAT             a member of the tenant, by personal access token
    session         the same, logged in
    idle            a virtual account without permissions
    viewer          a virtual account with the viewer's role on just what is asked for
    admin           a tenant admin, logged in
    admin account   a virtual account with tenant-admin

Somebody without a token, or with one that does not work, gets 401 everywhere but in PUBLIC.
A body's or query's `{names}` are of things (`things.py`), as the path's parameters are;
`{fresh}` is a name that nothing has yet.
"""

from dataclasses import dataclass, field
from typing import Any

CALLERS = ("PAT", "session", "idle", "viewer", "admin", "admin account")

EVERYBODY = "200 200 200 200 200 200"
ADMINS = "403 403 403 403 200 200"
VIEWERS = "403 403 403 200 200 200"
MEMBERS = "200 200 403 403 200 200"  # who may read all people and teams
READERS = "200 200 403 200 200 200"  # the same, or this one
PEOPLE = "200 200 403 403 200 403"
NOT_FOUND = "404 404 404 404 404 404"
ADMINS_NOT_FOUND = "403 403 403 403 404 404"  # the others may do it to nobody at all
ADMINS_INVALID = "403 403 403 403 422 422"


@dataclass(frozen=True)
class Row:
    """One route. Without a body of its own it is sent the least that is valid."""

    own: str
    theirs: str = NOT_FOUND
    body: Any = None
    query: dict[str, str] = field(default_factory=dict)


# Whoever asks these needs no token, or the token is what is asked about: what nobody is answered.
PUBLIC: dict[str, int] = {
    "GET /healthz": 200,
    "GET /readyz": 200,
    "GET /api/v1/verify": 401,
    "GET /.well-known/jwks.json": 200,
    "GET /.well-known/revoked-tokens": 200,
    "GET /api/v1/forward-auth": 401,
    "GET /api/svc/v1/min-cli-version": 200,
    "GET /api/svc/v1/tenant-id": 200,
    "POST /api/svc/v1/oauth2/device-authorize": 404,
    "POST /api/svc/v1/oauth2/token": 422,
    "POST /api/svc/v1/users/accept-invitation": 422,
    "POST /api/v1/leaks": 202,
    "POST /api/v1/oauth2/token": 400,  # a workload's JWT is the credential
}

_BOT = {"type": "virtual-account", "name": "new-bot"}
_CONSOLE = {"type": "integration/notification-channel/console", "name": "told"}
_PROVIDER = {"type": "provider-account/custom", "name": "new-account", "integrations": [_CONSOLE]}
_IDENTITY_PROVIDER = {
    "name": "{fresh}",
    "issuer": "https://{fresh}.example.com",
    "jwks_uri": "http://127.0.0.1:1/jwks",
    "audiences": ["keyturn"],
}
# Of nobody's issuer: {"alg":"EdDSA","kid":"k"}, {"iss":"nobody"}.
SOMEBODYS_JWT = "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.eyJpc3MiOiJub2JvZHkifQ." + "A" * 86
_TEAM = {"type": "team", "name": "{fresh}", "members": ["{user_email}"]}
_ROLE = {
    "type": "role",
    "name": "{fresh}",
    "display_name": "Reader",
    "description": "",
    "resource_type": "virtual-account",
    "permissions": ["virtual-account:read"],
}
_SOMEBODY = {"email": "{user_email}"}

TABLE: dict[str, Row] = {
    # Machines.
    "GET /api/svc/v1/virtual-accounts": Row(EVERYBODY),  # those that one may read
    "PUT /api/svc/v1/virtual-accounts": Row(ADMINS, body={"manifest": _BOT}),
    "GET /api/svc/v1/virtual-accounts/exists": Row(
        VIEWERS, EVERYBODY, query={"name": "{account_name}"}
    ),
    "GET /api/svc/v1/virtual-accounts/{account_id}": Row(VIEWERS),
    "DELETE /api/svc/v1/virtual-accounts/{account_id}": Row(ADMINS),
    "GET /api/svc/v1/virtual-accounts/{account_id}/uses": Row(VIEWERS),
    "GET /api/svc/v1/virtual-accounts/{account_id}/token": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/regenerate-token": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/acknowledge": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/sync-to-secret-store": Row(
        "403 403 403 403 409 409"  # it has no store
    ),
    "GET /api/svc/v1/virtual-accounts/{account_id}/secret-stores": Row(VIEWERS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/check-secret-stores": Row(ADMINS),
    "DELETE /api/svc/v1/virtual-accounts/{account_id}/jwt/{token_id}": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/rotate": Row(ADMINS, body={"dryRun": True}),
    "GET /api/svc/v1/rotation-plan": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/pause": Row(ADMINS),
    "POST /api/svc/v1/virtual-accounts/{account_id}/resume": Row(ADMINS),
    # Anything.
    "PUT /api/svc/v1/apply": Row(ADMINS, body={"manifest": _PROVIDER}),
    "POST /api/svc/v1/delete": Row(
        ADMINS, body={"manifest": {"type": "virtual-account", "name": "{account_name}"}}
    ),
    # People.
    "GET /api/svc/v1/users": Row(MEMBERS),
    "POST /api/svc/v1/users/register": Row(ADMINS, body={"email": "{fresh}@example.com"}),
    "POST /api/svc/v1/users/invite": Row(
        ADMINS,
        theirs=ADMINS,  # the address is free here
        body=_SOMEBODY | {"acceptInviteClientUrl": "https://keys.example.com/accept"},
    ),
    "PATCH /api/svc/v1/users/roles": Row(
        ADMINS, ADMINS_NOT_FOUND, body=_SOMEBODY | {"roles": ["tenant-member"]}
    ),
    "PATCH /api/svc/v1/users/activate": Row(ADMINS, ADMINS_NOT_FOUND, body=_SOMEBODY),
    "PATCH /api/svc/v1/users/deactivate": Row(ADMINS, ADMINS_NOT_FOUND, body=_SOMEBODY),
    "GET /api/svc/v1/users/{user_id}": Row(READERS),
    "DELETE /api/svc/v1/users/{user_id}": Row(ADMINS),
    "GET /api/svc/v1/x/users/{user_id}/resources": Row(READERS),
    "GET /api/svc/v1/x/users/{user_id}/permissions": Row(READERS),
    "GET /api/svc/v1/x/users/{user_id}/teams": Row(READERS),
    # Their tokens and logins.
    "GET /api/svc/v1/personal-access-tokens": Row(PEOPLE),
    "POST /api/svc/v1/personal-access-tokens": Row(
        "403 200 403 403 200 403",  # a token makes no other
        body={"name": "{fresh}"},
    ),
    "POST /api/svc/v1/personal-access-tokens/for-user": Row(
        ADMINS, ADMINS_NOT_FOUND, body={"name": "{fresh}", "userEmail": "{user_email}"}
    ),
    "DELETE /api/svc/v1/personal-access-tokens/revoke/all": Row(
        ADMINS, ADMINS_NOT_FOUND, body=_SOMEBODY
    ),
    "DELETE /api/svc/v1/personal-access-tokens/{personal_token_id}": Row(ADMINS),  # not one's own
    "GET /api/svc/v1/session": Row(EVERYBODY),
    "DELETE /api/svc/v1/session": Row("403 200 403 403 200 403"),
    "POST /api/v1/device/approve": Row(
        PEOPLE, theirs="422 422 403 403 422 403", body={"userCode": "{user_code}"}
    ),
    # Teams and roles.
    "GET /api/svc/v1/teams/user": Row(EVERYBODY),  # one's own
    "PUT /api/svc/v1/teams": Row(ADMINS, ADMINS_INVALID, body={"manifest": _TEAM}),
    "GET /api/svc/v1/teams/{team_id}": Row(READERS),
    "DELETE /api/svc/v1/teams/{team_id}": Row(ADMINS),
    "GET /api/svc/v1/teams/{team_id}/members": Row(READERS),
    "GET /api/svc/v1/teams/{team_id}/managers": Row(READERS),
    "GET /api/svc/v1/teams/{team_id}/permissions": Row(READERS),
    "GET /api/svc/v1/roles": Row(ADMINS),
    "PUT /api/svc/v1/roles": Row(ADMINS, body={"manifest": _ROLE}),
    "DELETE /api/svc/v1/roles/{role_id}": Row(ADMINS),
    "GET /api/svc/v1/role-bindings": Row(ADMINS),
    "DELETE /api/svc/v1/role-bindings/{binding_id}": Row(ADMINS),
    # Where secrets are kept.
    "GET /api/v1/integrations": Row(EVERYBODY),  # those that one may read or use
    "GET /api/v1/integrations/{integration_id}": Row(VIEWERS),
    "POST /api/v1/integrations/{integration_id}/check": Row(ADMINS),
    "POST /api/svc/v1/integrations/{integration_id}/test": Row(ADMINS),
    "GET /api/svc/v1/secret-groups": Row(EVERYBODY),  # those that one may read
    "POST /api/svc/v1/secret-groups": Row(
        ADMINS, ADMINS_INVALID, body={"name": "{fresh}", "integrationId": "{secret_store}"}
    ),
    "PUT /api/svc/v1/secret-groups": Row(
        ADMINS, body={"manifest": {"type": "secret-group", "name": "{fresh}"}}
    ),
    "GET /api/svc/v1/secret-groups/{secret_group_id}": Row(VIEWERS),
    "PUT /api/svc/v1/secret-groups/{secret_group_id}": Row(ADMINS),
    "DELETE /api/svc/v1/secret-groups/{secret_group_id}": Row(ADMINS),
    "POST /api/svc/v1/secrets": Row(
        EVERYBODY,  # those that one may read
        body={"secretGroupId": "{secret_group_id}"},
    ),
    "GET /api/svc/v1/secrets/{secret_id}": Row(VIEWERS),
    "DELETE /api/svc/v1/secrets/{secret_id}": Row(ADMINS),
    # Other people's tokens, asked about by gateways.
    "POST /api/v1/introspect": Row(ADMINS, body={"token": "tfy_vat_nobodys"}),
    # The tenant.
    "GET /api/svc/v1/settings/security": Row(ADMINS),
    "PUT /api/svc/v1/settings/security": Row(ADMINS),
    # What is about accounts that one may read.
    "GET /api/v1/events": Row(EVERYBODY),
    "GET /api/v1/deliveries": Row(EVERYBODY),
    "GET /api/v1/deliveries/{delivery_id}": Row(VIEWERS),
    "POST /api/v1/deliveries/{delivery_id}/roll-forward": Row(ADMINS),
    "GET /api/v1/identity-providers": Row(ADMINS),
    "PUT /api/v1/identity-providers": Row(ADMINS, body={"manifest": _IDENTITY_PROVIDER}),
    "GET /api/v1/identity-providers/{provider_id}": Row(ADMINS, ADMINS_NOT_FOUND),
    "DELETE /api/v1/identity-providers/{provider_id}": Row(ADMINS, ADMINS_NOT_FOUND),
    "POST /api/v1/identity-providers/explain": Row(ADMINS, body={"token": SOMEBODYS_JWT}),
    "GET /api/v1/audit": Row(ADMINS),
    "GET /api/v1/audit/export": Row(ADMINS),
    "GET /api/v1/audit/verify": Row(ADMINS),
}
