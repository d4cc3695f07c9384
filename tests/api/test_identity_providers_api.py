"""Identity providers over HTTP: by the SDK's apply, by calls of their own, and their JWTs."""

import logging
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import capture_logs
from truefoundry_sdk import ExternalIdentityProvider, TrueFoundry

from models import AuditRow
from tests.api.gateways import FORWARD_AUTH, INTROSPECT, VERIFY, Gateway, gateway
from tests.support.identity import SUBJECT, Identity, trusted
from tests.support.issuer import AUDIENCE
from tests.support.persons import person
from tests.support.serving import Stage
from tests.support.world import World

PATH = "/api/v1/identity-providers"
TOKEN = "/api/v1/oauth2/token"
GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
JWT = "urn:ietf:params:oauth:token-type:jwt"


@pytest.fixture
def identity(world: World) -> Iterator[Identity]:
    with trusted(world) as made:
        yield made


@pytest.fixture
def asking(world: World, stage: tuple[Stage, str]) -> Iterator[Gateway]:
    with gateway(world, stage) as made:
        yield made


def form(identity: Identity, **more: str | None) -> dict[str, str]:
    given = {
        "grant_type": GRANT,
        "subject_token": identity.issuer.issue(),
        "subject_token_type": JWT,
        **more,
    }
    return {name: value for name, value in given.items() if value is not None}


def test_the_sdk_applies_a_provider_and_deletes_it(client: TrueFoundry, identity: Identity):
    manifest = {
        "type": "identity-provider",
        "name": "okta",
        "issuer": identity.issuer.url,
        "audiences": ["api://keyturn"],
        "sign_in": {"client_id": "keyturn", "client_secret": "some-secret"},
    }

    created = client.apply(manifest=manifest)
    again = client.apply(manifest=manifest)
    client.delete(manifest=manifest)

    assert (created.action, again.action) == ("CREATE", "UPDATE")
    assert isinstance(created.data, ExternalIdentityProvider)
    assert created.data.fqn == "identity-provider:okta"
    assert created.data.manifest["sign_in"]["client_secret"] == "**********"
    assert [row.name for row in identity.providers()] == ["github"]


def test_a_provider_is_put_read_listed_and_deleted(http: httpx.Client, identity: Identity):
    given = {"name": "azure", "issuer": "https://sts.example.com", "audiences": ["x"]}
    given |= {"jwks_uri": "http://127.0.0.1:1/keys"}

    put = http.put(PATH, json={"manifest": given}).json()
    path = f"{PATH}/{put['data']['id']}"
    read, listed = http.get(path).json(), http.get(PATH).json()
    gone = http.delete(path)

    assert put["warnings"] == ["azure: 127.0.0.1 does not answer (ConnectionRefusedError)."]
    assert read["data"] == put["data"]
    assert [one["manifest"]["name"] for one in listed["data"]] == ["azure", "github"]
    assert (gone.status_code, gone.json(), http.get(path).status_code) == (200, {}, 404)


def test_a_dry_run_asks_nobody_and_keeps_nothing(http: httpx.Client, identity: Identity):
    identity.issuer.clear()
    given = {"name": "new", "issuer": identity.issuer.url, "audiences": ["new"]}

    answer = http.put(PATH, json={"manifest": given, "dryRun": True})

    assert (answer.status_code, answer.json()["warnings"]) == (200, [])
    assert identity.issuer.requests == []
    assert [row.name for row in identity.providers()] == ["github"]


def test_a_mapped_jwt_is_a_bearer_on_every_surface(
    asking: Gateway, identity: Identity, admin_token: str
):
    held = {"resource_type": "account", "resource_fqn": "acme", "role_id": "tenant-admin"}
    account = identity.map(permissions=[held])
    token = identity.issuer.issue()

    verified = asking.ask(VERIFY, token)
    passed = asking.ask(FORWARD_AUTH, token)
    introspected = asking.ask(INTROSPECT, admin_token, "POST", data={"token": token})
    api = asking.ask(f"/api/svc/v1/virtual-accounts/{account.id}", token)
    session = asking.ask("/api/svc/v1/session", token)

    subject = {"type": "virtualaccount", "id": str(account.id), "name": "ci-bot"}
    assert (verified.status_code, verified.json()["subject"]) == (200, subject)
    assert verified.json()["expiresAt"] == "2026-03-02T09:10:00Z"
    assert passed.headers["X-Keyturn-Subject"] == "ci-bot"
    assert passed.headers["X-Keyturn-Generation"] == ""
    assert introspected.json()["active"] is True
    assert introspected.json()["exp"] == int(identity.issuer.now.timestamp()) + 600
    assert (api.status_code, session.status_code) == (200, 200)
    assert {one[0] for one in asking.uses.counted} >= {account.id}


def test_a_person_calls_with_their_providers_jwt_and_makes_a_token(
    asking: Gateway, identity: Identity
):
    ann = person(identity.world)
    identity.trust(users="email")
    token = identity.issuer.issue(email=ann.email, email_verified=True)

    made = asking.ask(
        "/api/svc/v1/personal-access-tokens", token, "POST", json={"name": "from-idp"}
    )
    begun = asking.http.post(
        "/api/svc/v1/oauth2/device-authorize", json={"tenantName": "acme"}
    ).json()
    approved = asking.ask(
        "/api/v1/device/approve", token, "POST", json={"userCode": begun["userCode"]}
    )

    assert (made.status_code, approved.status_code) == (200, 200), made.text
    assert asking.ask(VERIFY, token).json()["subject"]["name"] == ann.email


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH])
def test_a_gateway_is_told_why_a_jwt_is_refused(asking: Gateway, identity: Identity, path: str):
    answer = asking.ask(path, identity.issuer.issue(aud="other"))

    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_audience")
    assert 'error_description="wrong_audience"' in answer.headers["WWW-Authenticate"]


def test_while_keys_are_not_to_be_had_nothing_is_decided(asking: Gateway, identity: Identity):
    identity.map()
    identity.issuer.stop()
    identity.pass_(hours=25)
    asking.hear()
    token = identity.issuer.issue()

    answers = [asking.ask(VERIFY, token), asking.ask("/api/svc/v1/session", token)]
    exchanged = asking.http.post(TOKEN, data=form(identity))

    assert [answer.status_code for answer in [*answers, exchanged]] == [503, 503, 503]
    assert all("Retry-After" in answer.headers for answer in [*answers, exchanged])
    assert exchanged.json()["error"] == "temporarily_unavailable"


def test_a_workload_exchanges_its_jwt_and_calls_with_what_it_got(
    asking: Gateway, identity: Identity
):
    identity.map()

    answer = asking.http.post(TOKEN, data=form(identity))

    told = answer.json()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert {name: told[name] for name in told if name != "access_token"} == {
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
    }
    assert asking.ask(VERIFY, told["access_token"]).json()["subject"]["name"] == "ci-bot"
    (audited,) = identity.world.rows(AuditRow, AuditRow.action == "token.exchanged")
    assert audited.actor["request_id"] == answer.headers["X-Request-Id"]


def test_the_account_is_named_by_the_audience(anybody: httpx.Client, identity: Identity):
    identity.map("deployer", value="repo:acme/*")

    named = anybody.post(TOKEN, data=form(identity, audience="virtualaccount:deployer"))
    other = anybody.post(TOKEN, data=form(identity, audience="virtualaccount:other"))

    assert named.status_code == 200
    assert (other.status_code, other.json()["error"]) == (400, "invalid_request")
    assert other.json()["error_description"].startswith("unmapped: ")


REFUSED: list[tuple[dict[str, str | None], str]] = [
    ({"grant_type": None}, "invalid_request"),
    ({"grant_type": "client_credentials"}, "unsupported_grant_type"),
    ({"subject_token": None}, "invalid_request"),
    ({"subject_token": "x"}, "invalid_request"),
    ({"subject_token_type": None}, "invalid_request"),
    ({"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, "invalid_request"),
    ({"requested_token_type": JWT}, "invalid_request"),
    ({"actor_token": "x"}, "invalid_request"),
    ({"scope": "everything"}, "invalid_scope"),
    ({"resource": "https://api.example.com"}, "invalid_target"),
    ({"audience": "https://api.example.com"}, "invalid_target"),
    ({"audience": "virtualaccount:\0"}, "invalid_target"),
]


def test_a_form_that_is_wrong_is_refused_as_oauth_says_it(
    anybody: httpx.Client, identity: Identity
):
    identity.map()

    answers = [anybody.post(TOKEN, data=form(identity, **given)) for given, _ in REFUSED]

    assert {answer.status_code for answer in answers} == {400}
    assert [answer.json()["error"] for answer in answers] == [code for _, code in REFUSED]
    assert {frozenset(answer.json()) for answer in answers} == {
        frozenset({"error", "error_description"})
    }


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"\xff", b"grant_type=" + b"x" * 70_000, f"grant_type={GRANT}&".encode() * 2],
    ids=["empty", "JSON", "bytes", "long", "twice"],
)
def test_a_body_that_is_no_such_form_is_refused(anybody: httpx.Client, content: bytes):
    answer = anybody.post(TOKEN, content=content)

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_jwts_that_are_refused_again_and_again_are_not_looked_at_any_more(
    anybody: httpx.Client, identity: Identity
):
    statuses = [
        anybody.post(TOKEN, data=form(identity, subject_token=identity.issuer.issue(aud="x")))
        for _ in range(identity.world.runtime.settings.failed_logins + 1)
    ]

    assert [answer.status_code for answer in statuses[-2:]] == [400, 429]
    assert int(statuses[-1].headers["Retry-After"]) > 0


def test_every_check_of_a_jwt_is_explained(http: httpx.Client, identity: Identity):
    account = identity.map(conditions=[{"claim": "ref", "equals": "refs/heads/main"}])
    good = identity.issuer.issue(ref="refs/heads/main")
    bad = identity.issuer.issue(ref="refs/heads/evil")

    said = http.post(f"{PATH}/explain", json={"token": good}).json()
    why = http.post(f"{PATH}/explain", json={"token": f"  {bad}\n"}).json()

    assert (said["good"], said["provider"], said["reason"]) == (True, "github", None)
    assert said["subject"] == {
        "type": "virtualaccount", "id": str(account.id), "name": "ci-bot"
    }  # fmt: skip
    assert said["expiresAt"] == "2026-03-02T09:10:00Z"
    assert [one["check"] for one in said["checks"]][:4] == [
        "issuer", "audience", "algorithm", "type",
    ]  # fmt: skip
    assert {"check": "audience", "passed": True, "found": AUDIENCE} in said["checks"]
    assert {"check": "mapping", "passed": True, "found": f"sub: {SUBJECT}"} in said["checks"]
    assert (why["good"], why["reason"], why["subject"]) == (False, "refused_claims", None)
    assert why["checks"][-1] == {
        "check": "mapped if", "passed": False, "found": "ref is not as demanded"
    }  # fmt: skip


def test_keys_that_are_not_to_be_had_are_explained(http: httpx.Client, identity: Identity):
    identity.issuer.stop()
    identity.pass_(hours=25)

    said = http.post(f"{PATH}/explain", json={"token": identity.issuer.issue()}).json()

    assert said["checks"][-1] == {
        "check": "key",
        "passed": False,
        "found": "127.0.0.1 does not answer (ConnectionRefusedError).",
    }


@pytest.mark.parametrize("token", ["x", "tfy_vat_x", "eyJhbGciOiJub25lIn0.e30.", "a.b.c"])
def test_what_is_no_jwt_is_told_so_and_not_quoted(http: httpx.Client, token: str):
    answer = http.post(f"{PATH}/explain", json={"token": token})

    assert (answer.status_code, answer.json()["details"]) == (422, [{"field": "token"}])


@pytest.mark.law(12)
def test_another_tenants_provider_explains_nothing_here(
    http: httpx.Client, identity: Identity, world: World
):
    identity.trust("github", audiences=["kept"])
    with trusted(world, audiences=["other"], name="second") as second:
        theirs = second.issuer.issue(aud="nobody")

        said = http.post(f"{PATH}/explain", json={"token": theirs}).json()

    assert (said["provider"], said["reason"]) == (None, "wrong_audience")


@pytest.mark.law(9)
def test_a_jwt_is_in_no_log_audit_row_or_answer(http: httpx.Client, identity: Identity):
    identity.map()
    token = identity.issuer.issue()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG))

    with capture_logs() as logs:
        answers = [
            http.post(f"{PATH}/explain", json={"token": token}),
            http.post(f"{PATH}/explain", json={"token": token[:-4]}),
            http.post(TOKEN, data=form(identity, subject_token=token)),
            http.post(TOKEN, data=form(identity, subject_token=token, scope="x")),
            http.post(TOKEN, data=form(identity, subject_token=token[:-4])),
        ]

    kept: list[Any] = [(row.detail, row.actor) for row in identity.world.rows(AuditRow)]
    signature = token.rpartition(".")[2]
    assert signature not in f"{logs}{kept}{[(one.text, one.headers) for one in answers]}"
