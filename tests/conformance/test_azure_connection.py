"""In whose name the sink for Azure Key Vault calls, and how it understands what it is told."""

import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from core.dial import LOOPBACK, AddressRules
from core.errors import DestinationRefused, Misconfigured, PlaceRefused, Transient
from services.outbound import GuardedDialer
from tests.conformance.sink_bench import CANARY, PATH, copy, token
from tests.support.azure_double import (
    ASSERTION,
    CLIENT,
    CLIENT_SECRET,
    LOGIN,
    TENANT,
    VAULT,
)
from tests.support.http_double import Answer, HttpDouble, Request
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock

WORKLOAD = {"type": "workload-identity", "tenant_id": TENANT, "client_id": CLIENT}
MANAGED = {"type": "managed-identity"}
TOKENS = f"POST /{TENANT}/oauth2/v2.0/token"


class Metadata(HttpDouble):
    """The service that gives a machine the tokens of its managed identity."""

    def __init__(self, give) -> None:
        super().__init__()
        self.give = give

    def answer(self, _: Request) -> Answer:
        given = {"token_type": "Bearer", "expires_in": "86399", "resource": "x"}
        return Answer.of({**given, "access_token": self.give()})


@pytest.fixture
def metadata(azure, monkeypatch):
    for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT", "AZURE_FEDERATED_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    with Metadata(azure.give_token) as made:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", made.url)
        yield made


@pytest.fixture
def lending(azure_bench, azure):
    """The operator lends the host's own identity."""
    azure_bench.ports = lent(network=azure.dialer(), ambient_credentials=True)


@pytest.fixture
def pod(monkeypatch, tmp_path):
    """Keyturn's host is a pod with a workload identity."""
    (tmp_path / "token").write_text(ASSERTION)
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)


def asked(azure) -> list[dict[str, str]]:
    """What the requests for a token said."""
    return [it.form() for it in azure.seen(TOKENS)]


def test_the_client_secret_goes_to_the_login_host_and_the_token_to_the_vault(azure_bench, azure):
    azure_bench.put(copy(1))

    (login,) = azure.seen(TOKENS)
    assert login.form()["client_secret"] == CLIENT_SECRET
    assert login.form()["scope"].split()[0] == "https://vault.azure.net/.default"
    assert login.headers["Host"] == LOGIN
    shown = {it.headers["Host"] for it in azure.requests if it.headers["Authorization"]}
    assert shown == {VAULT}
    assert {it.headers["User-Agent"] for it in azure.requests} == {"keyturn"}


@pytest.mark.parametrize("how", ["oauth", "client-secret"])
def test_an_app_logs_in_with_and_without_its_subscription(azure_bench, how):
    auth = {**azure_bench.config()["auth_data"], "type": how}
    more = {"subscription_id": TENANT} if how == "oauth" else {}

    azure_bench.put(copy(1), auth_data={**auth, **more})

    assert azure_bench.stored() == token(1)


@pytest.mark.parametrize(
    ("cloud", "login", "vault"),
    [
        ("china", "login.chinacloudapi.cn", "kv-main.vault.azure.cn"),
        ("us-government", "login.microsoftonline.us", "kv-main.vault.usgovcloudapi.net"),
    ],
)
def test_another_cloud_has_its_own_login_host(azure_bench, azure, cloud, login, vault):
    azure_bench.put(copy(1), cloud=cloud)

    assert {it.headers["Host"] for it in azure.requests} == {login, vault}


@pytest.mark.parametrize(
    "named",
    [
        'authorization="https://login.evil.example/canary", resource="https://vault.azure.net"',
        f'authorization="https://{LOGIN}/canary-tenant", resource="https://vault.azure.net"',
    ],
)
def test_a_challenge_does_not_say_where_or_as_whom_to_log_in(azure_bench, azure, named):
    azure.fault("GET /secrets/*", status=401, headers={"WWW-Authenticate": f"Bearer {named}"})

    azure_bench.put(copy(1))

    assert [it.path for it in azure.seen("* /*/oauth2/*")] == [f"/{TENANT}/oauth2/v2.0/token"]
    assert {it.headers["Host"] for it in azure.requests} == {LOGIN, VAULT}


def test_a_challenge_for_another_resource_gets_no_token(azure_bench, azure):
    named = f'authorization="https://{LOGIN}/{TENANT}", resource="https://graph.microsoft.com"'
    azure.fault("GET /secrets/*", status=401, headers={"WWW-Authenticate": f"Bearer {named}"})

    with azure_bench.failing(DestinationRefused):
        azure_bench.put(copy(1))

    assert len(azure.requests) == 1


def test_sends_at_once_share_one_login(azure_bench, azure):
    sink = azure_bench.sink()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sink.put(copy(1, path=f"a/{n}"), azure_bench.ports), range(8)))

    assert azure_bench.logins() == 1


def test_a_token_is_renewed_when_two_thirds_of_its_life_are_over(azure_bench, azure):
    clock = ManualClock()
    ports = lent(clock=clock, network=azure.dialer())
    sink = azure_bench.sink()

    sink.put(copy(1), ports)
    clock.pass_(seconds=2390)
    sink.put(copy(2), ports)
    early = azure_bench.logins()
    clock.pass_(seconds=20)
    sink.put(copy(3), ports)

    assert (early, azure_bench.logins()) == (1, 2)


def test_a_token_that_is_refused_again_is_the_destination_s_problem(azure_bench, azure):
    azure_bench.at_each_call(azure.expire_tokens)

    with azure_bench.failing(DestinationRefused) as refused:
        azure_bench.put(copy(1))

    assert "Entra tenant" in str(refused.value)
    assert azure_bench.logins() == 1


def test_who_waits_for_another_s_login_too_long_is_tried_again(azure_bench):
    sink = azure_bench.sink(timeout=0.1)
    identity = sink._connection(azure_bench.ports).identity

    with identity._lock, azure_bench.failing(Transient) as waited:
        sink.put(copy(1), azure_bench.ports)

    assert "asking Microsoft Entra" in str(waited.value)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"client_secret": "canary-other"}, "AADSTS7000215"),
        ({"client_id": TENANT}, "AADSTS700016"),
        ({"tenant_id": "nobody.example.com"}, "AADSTS90002"),
    ],
)
def test_a_login_that_is_refused_is_the_destination_s_problem(azure_bench, wrong, code):
    auth = {**azure_bench.config()["auth_data"], **wrong}

    with azure_bench.failing(DestinationRefused) as refused:
        azure_bench.sink(auth_data=auth).check(azure_bench.ports)

    assert code in str(refused.value)
    assert "canary" not in "".join(azure_bench.said)


@pytest.mark.parametrize("call", [TOKENS, "GET /*/openid-configuration"])
@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_login_host_out_of_order_is_tried_again_when_it_says(azure_bench, azure, call, status):
    azure.fault(call, status=status, body=CANARY, headers={"Retry-After": "9"})

    with azure_bench.failing(Transient) as failed:
        azure_bench.put(copy(1))

    assert failed.value.retry_after == timedelta(seconds=9)
    assert failed.value.throttled == (status == 429)
    assert CANARY not in "".join(azure_bench.said)


@pytest.mark.parametrize("call", [TOKENS, "GET /*/openid-configuration"])
def test_a_login_that_is_no_login_is_understood_and_never_quoted(azure_bench, azure, call):
    azure.fault(call, status=200, body=f"<b>{CANARY}</b>")

    with azure_bench.failing(DestinationRefused):
        azure_bench.put(copy(1))

    assert CANARY not in "".join(azure_bench.said)


@pytest.mark.parametrize("auth", [None, WORKLOAD, MANAGED])
def test_the_host_s_identity_is_not_lent_unless_the_operator_says_so(azure_bench, azure, auth):
    with azure_bench.failing(Misconfigured) as refused:
        azure_bench.put(copy(1), auth_data=auth)

    assert "KEYTURN_AMBIENT_CREDENTIALS" in str(refused.value)
    assert azure.requests == []


@pytest.mark.usefixtures("lending")
@pytest.mark.parametrize(
    ("auth", "client_id"),
    [(None, None), (MANAGED, None), ({**MANAGED, "client_id": CLIENT}, CLIENT)],
)
def test_a_managed_identity_is_used_where_it_is_lent(azure_bench, azure, metadata, auth, client_id):
    azure_bench.put(copy(1), auth_data=auth)

    (sent,) = metadata.requests
    assert sent.query["resource"] == "https://vault.azure.net"
    assert sent.query.get("client_id") == client_id
    assert azure.seen(TOKENS) == []
    assert azure_bench.stored() == token(1)


@pytest.mark.usefixtures("lending")
@pytest.mark.parametrize(("status", "kind"), [(500, Transient), (400, DestinationRefused)])
def test_a_managed_identity_that_is_not_there_is_understood(azure_bench, metadata, status, kind):
    metadata.fault("*", status=status, body={"error": "invalid", "error_description": CANARY})

    with azure_bench.failing(kind):
        azure_bench.put(copy(1), auth_data=MANAGED)

    assert CANARY not in "".join(azure_bench.said)
    assert len(metadata.requests) == 1


@pytest.mark.usefixtures("lending", "pod")
@pytest.mark.parametrize("auth", [None, WORKLOAD])
def test_a_workload_identity_shows_the_pod_s_token_to_the_login_host_alone(
    azure_bench, azure, auth
):
    azure_bench.put(copy(1), auth_data=auth)

    (said,) = asked(azure)
    assert (said["client_id"], said["client_assertion"]) == (CLIENT, ASSERTION)
    shown = {it.headers["Host"] for it in azure.requests if ASSERTION.encode() in it.body}
    assert shown == {LOGIN}


@pytest.mark.usefixtures("lending")
def test_a_host_without_workload_identity_says_so(azure_bench, monkeypatch, tmp_path):
    monkeypatch.delenv("AZURE_FEDERATED_TOKEN_FILE", raising=False)
    with azure_bench.failing(Misconfigured):
        azure_bench.put(copy(1), auth_data=WORKLOAD)

    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path / "canary"))
    with azure_bench.failing(DestinationRefused) as refused:
        azure_bench.put(copy(1), auth_data=WORKLOAD)

    assert "own host" in str(refused.value)
    assert "canary" not in "".join(azure_bench.said)


def denied(inner: str) -> dict[str, object]:
    return {"error": {"code": "Forbidden", "message": CANARY, "innererror": {"code": inner}}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": {"code": "BadParameter", "message": CANARY}}, PlaceRefused),
        (400, {"error": {"code": CANARY, "message": CANARY}}, PlaceRefused),
        (403, denied("ForbiddenByRbac"), PlaceRefused),
        (403, denied("ForbiddenByPolicy"), PlaceRefused),
        (403, denied("SecretDisabled"), PlaceRefused),
        (403, denied("ForbiddenByFirewall"), DestinationRefused),
        (403, denied("ForbiddenByConnection"), DestinationRefused),
        (404, {"error": {"code": "SecretNotFound", "message": CANARY}}, Transient),
        (404, f"<b>{CANARY}</b>", DestinationRefused),
        (408, CANARY, Transient),
        (409, {"error": {"code": "Conflict", "message": CANARY}}, Transient),
        (429, CANARY, Transient),
        (500, CANARY, Transient),
        (503, f"<b>{CANARY}</b>", Transient),
        (301, CANARY, DestinationRefused),
        (307, CANARY, DestinationRefused),
        (200, f"<b>{CANARY}</b>", DestinationRefused),
        (200, [CANARY], DestinationRefused),
    ],
)
def test_an_answer_is_understood_and_never_quoted(azure_bench, azure, status, body, kind):
    azure.fault("PUT *", status=status, body=body, headers={"Location": f"https://{LOGIN}/"})

    with azure_bench.failing(kind):
        azure_bench.put(copy(1))

    assert CANARY not in "".join(azure_bench.said).replace(token(1), "")
    assert len(azure.seen("PUT *")) == 1


@pytest.mark.parametrize(
    "body",
    [
        f"<b>{CANARY}</b>",
        [CANARY],
        {},
        {"error": CANARY},
        {"value": CANARY},
        {"value": CANARY, "id": CANARY},
        {"value": CANARY, "id": 7},
        {"value": [CANARY], "id": f"https://{VAULT}/secrets/a/1", "tags": [CANARY]},
    ],
)
def test_what_is_no_secret_is_understood_and_never_quoted(azure_bench, azure, body):
    azure_bench.put(copy(1))
    azure.fault("GET /secrets/*", status=200, body=body)

    with azure_bench.failing(DestinationRefused) as refused:
        azure_bench.put(copy(2))

    assert "as Key Vault would" in str(refused.value)
    assert f"{CANARY}'" not in "".join(azure_bench.said)


def test_a_certificate_that_nobody_vouches_for_is_refused_and_its_file_goes_with_the_sink(
    azure_bench,
):
    trusting = azure_bench.sink()
    trusting.put(copy(1), azure_bench.ports)
    file = Path(trusting._connected.trust.path)
    mode = file.stat().st_mode & 0o777
    trusting.close()
    trusting.close()

    with azure_bench.failing(DestinationRefused) as refused:
        azure_bench.put(copy(1), ca_bundle=None)

    assert "ca_bundle" in str(refused.value)
    assert (mode, file.exists()) == (0o600, False)


def test_a_closed_sink_connects_anew(azure_bench):
    sink = azure_bench.sink()
    sink.put(copy(1), azure_bench.ports)
    sink.close()

    sink.put(copy(2), azure_bench.ports)

    assert azure_bench.stored() == token(2)


def test_a_vault_that_has_no_address_is_tried_again(azure_bench):
    def nowhere(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, CANARY)

    rules = AddressRules(allowed=LOOPBACK)
    azure_bench.ports = lent(network=GuardedDialer(rules, resolve=nowhere))

    with azure_bench.failing(Transient):
        azure_bench.put(copy(1))

    assert CANARY not in "".join(azure_bench.said)


def test_a_proxy_or_an_authority_in_the_environment_changes_nothing(
    azure_bench, azure, monkeypatch
):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://login.evil.example")

    azure_bench.put(copy(1, path=PATH))

    assert {it.headers["Host"] for it in azure.requests} == {LOGIN, VAULT}
