"""How the Vault sink connects, logs in and understands what it is told."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from sinks.deadline import asked_to_wait
from sinks.vault.kv import VaultSink
from tests.conformance.sink_bench import CANARY, OURS, PATH, copy, token
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock
from tests.support.vault_double import VaultDouble

AT = f"keyturn/{PATH}"
METADATA = f"/v1/secret/metadata/{AT}"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 412}, Transient),
        ({"status": 472}, Transient),
        ({"status": 473}, Transient),
        ({"status": 502}, Transient),
        ({"status": 503, "body": f"<b>{CANARY}</b>"}, Transient),
        ({"status": 400, "body": {"errors": [f"odd: {CANARY}"]}}, PlaceRefused),
        ({"status": 400, "body": f"not json {CANARY}"}, PlaceRefused),
        ({"status": 401, "body": CANARY}, DestinationRefused),
        ({"status": 404, "body": f"<b>{CANARY}</b>"}, DestinationRefused),
        ({"status": 404, "body": {"errors": [f"no handler {CANARY}"]}}, DestinationRefused),
        ({"status": 405, "body": {"errors": []}}, DestinationRefused),
        ({"status": 418, "body": CANARY}, DestinationRefused),
        ({"status": 200, "body": f"<b>{CANARY}</b>"}, DestinationRefused),
        ({"status": 200, "body": [CANARY]}, DestinationRefused),
        ({"status": 307, "body": "", "headers": {"Location": "/"}}, DestinationRefused),
    ],
)
def test_an_odd_answer_is_understood_and_never_quoted(vault_bench, vault, answer, kind):
    vault.fault(f"GET {METADATA}", **answer)

    with vault_bench.failing(kind):
        vault_bench.put(copy(1))

    assert CANARY not in "".join(vault_bench.said)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("86400", 3600), ("9" * 40, 3600), ("soon", None), ("-1", None), ("²", None)],
)
def test_a_store_is_waited_for_as_it_asks_but_never_longer_than_an_hour(said, seconds):
    asked = asked_to_wait({"Retry-After": said})

    assert (asked and asked.total_seconds()) == seconds


def test_a_redirect_is_not_followed_with_the_token(vault_bench, vault):
    with VaultDouble() as other:
        vault.fault("* /v1/secret/*", status=307, body="", headers={"Location": other.url})

        with vault_bench.failing(DestinationRefused) as refused:
            vault_bench.put(copy(1))

        assert "redirects" in str(refused.value)
        assert other.requests == []


def test_the_host_s_own_vault_token_and_logins_are_not_used(
    vault_bench, vault, monkeypatch, tmp_path
):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login host password canary-of-the-host\n")
    monkeypatch.setenv("NETRC", str(netrc))

    vault_bench.put(copy(1))

    headers = [str(request.headers) for request in vault.requests]
    assert [text for text in headers if "canary-of-the-host" in text] == []
    assert [text for text in headers if "Authorization" in text] == []


def test_a_namespace_goes_with_every_call_but_the_health_check(vault_bench, vault):
    auth = {"policies": ["keyturn"], "namespace": "team"}
    vault.add_approle("keyturn", "canary-secret-id", **auth)
    sink = vault_bench.sink(namespace="team")

    sink.check(vault_bench.ports)
    sink.put(copy(1), vault_bench.ports)

    assert vault.versions(AT, "team") == [(1, {"token": token(1)})]
    without = [it.path for it in vault.requests if it.headers["X-Vault-Namespace"] != "team"]
    assert without == ["/v1/sys/health"]


def test_a_private_authority_is_trusted_if_it_is_given():
    authority = trustme.CA()
    with VaultDouble(tls=server_context(authority)) as vault:
        config = {
            "vault_url": vault.url,
            "kv_mount_path": "secret",
            "auth_data": {"type": "token", "token": vault.root_token},
        }
        trusting = VaultSink(**config, ca_bundle=authority.cert_pem.bytes().decode())
        untrusting = VaultSink(**config)

        held = trusting.put(copy(1), lent())
        with pytest.raises(DestinationRefused, match="give its CA as ca_bundle"):
            untrusting.put(copy(1), lent())
        trusting.close()
        untrusting.close()
        untrusting.close()

    assert held.mark == Mark(1, 1, OURS)


def server_context(authority: trustme.CA) -> Any:
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


def test_a_sealed_vault_is_tried_again_and_the_check_says_so(vault_bench, vault):
    vault.sealed = True

    with vault_bench.failing(Transient) as put:
        vault_bench.put(copy(1))
    with vault_bench.failing(Transient):
        vault_bench.sink().check(vault_bench.ports)

    assert "sealed" in str(put.value)


def test_the_check_tells_version_policies_and_engine(vault_bench):
    said = vault_bench.sink().check(vault_bench.ports)

    assert said == (
        "Vault 1.20.0 answers; the token's policies are keyturn; "
        "secret is KV v2 and can be written."
    )


def test_a_token_that_may_not_write_there_is_told_the_path(vault_bench, vault):
    closed = vault.create_token(policies=[])

    with vault_bench.failing(PlaceRefused) as refused:
        vault_bench.sink(auth_data={"type": "token", "token": closed}).check(vault_bench.ports)

    assert str(refused.value) == (
        "Vault's policy does not let Keyturn write secret/metadata/keyturn/keyturn-check."
    )


@pytest.mark.parametrize("secret_id", ["canary-wrong", "canary-secret-id"])
def test_a_login_that_vault_does_not_take_is_the_destination_s_problem(
    vault_bench, vault, secret_id
):
    vault.approles.clear()
    auth = {"type": "approle", "role_id": "keyturn", "secret_id": secret_id}

    with vault_bench.failing(DestinationRefused) as refused:
        vault_bench.sink(auth_data=auth).put(copy(1), vault_bench.ports)

    assert "role_id and secret_id" in str(refused.value)


def test_a_login_at_something_else_than_vault_is_refused(vault_bench, vault):
    vault.fault("POST /v1/auth/approle/login", body={"hello": "world"})

    with vault_bench.failing(DestinationRefused):
        vault_bench.put(copy(1))


def test_an_approle_at_another_path_is_asked_there(vault_bench, vault):
    auth = {"type": "approle", "role_id": "r", "secret_id": "s", "role_path": "apps/ci"}

    with vault_bench.failing(DestinationRefused):
        vault_bench.sink(auth_data=auth).put(copy(1), vault_bench.ports)

    assert len(vault.seen("POST /v1/auth/apps/ci/login")) == 1


def test_many_sends_at_once_log_in_once(vault_bench, vault):
    sink = vault_bench.sink()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sink.put(copy(1, path=f"app/{n}"), vault_bench.ports), range(16)))

    assert vault_bench.logins() == 1


def test_a_token_is_renewed_when_two_thirds_of_its_lease_are_over(vault_bench, vault):
    clock = ManualClock()
    ports = lent(clock=clock)
    sink = vault_bench.sink()
    sink.put(copy(1), ports)

    clock.pass_(seconds=799)
    sink.put(copy(2), ports)
    early = len(vault.seen("POST /v1/auth/token/renew-self"))
    clock.pass_(seconds=2)
    sink.put(copy(3), ports)
    sink.put(copy(4), ports)

    assert (early, len(vault.seen("POST /v1/auth/token/renew-self"))) == (0, 1)
    assert vault_bench.logins() == 1


@pytest.mark.parametrize("renewable", [True, False])
def test_a_lease_that_cannot_be_renewed_is_replaced_by_a_new_login(vault_bench, vault, renewable):
    clock = ManualClock()
    vault.add_approle("keyturn", "canary-secret-id", policies=["keyturn"], renewable=renewable)
    sink = vault_bench.sink()
    sink.put(copy(1), lent(clock=clock))
    vault.expire_tokens()

    clock.pass_(seconds=801)
    sink.put(copy(2), lent(clock=clock))

    assert vault_bench.logins() == 2
    assert vault_bench.stored() == token(2)


@pytest.mark.parametrize(
    ("renewable", "renewals"),
    [(True, 1), (False, 0)],
)
def test_a_given_token_renews_itself_where_it_may(vault_bench, vault, renewable, renewals):
    clock = ManualClock()
    given = vault.create_token(policies=["keyturn"], ttl=900, renewable=renewable)
    sink = vault_bench.sink(auth_data={"type": "token", "token": given})
    sink.put(copy(1), lent(clock=clock))

    clock.pass_(seconds=601)
    sink.put(copy(2), lent(clock=clock))

    assert len(vault.seen("POST /v1/auth/token/renew-self")) == renewals
    assert vault_bench.stored() == token(2)


def test_a_given_token_past_renewing_is_used_to_its_end_and_then_refused(vault_bench, vault):
    clock = ManualClock()
    given = vault.create_token(policies=["keyturn"], ttl=900)
    sink = vault_bench.sink(auth_data={"type": "token", "token": given})
    sink.put(copy(1), lent(clock=clock))
    vault.fault("POST /v1/auth/token/renew-self", status=400)

    clock.pass_(seconds=601)
    sink.put(copy(2), lent(clock=clock))
    vault.expire_tokens()
    with vault_bench.failing(DestinationRefused) as refused:
        sink.put(copy(3), lent(clock=clock))

    assert "not valid any more" in str(refused.value)
    assert vault_bench.stored() == token(2)


def test_who_waits_for_another_s_login_too_long_is_tried_again(vault_bench):
    sink = vault_bench.sink(timeout=0.1)
    connection = sink._connected(vault_bench.ports)

    with connection.login._lock, vault_bench.failing(Transient) as waited:
        sink.put(copy(1), vault_bench.ports)

    assert "logging in" in str(waited.value)


def test_a_lease_without_end_is_never_renewed(vault_bench, vault):
    sink = vault_bench.sink(auth_data={"type": "token", "token": vault.root_token})

    lease = sink._secret(PATH, vault_bench.ports).lease()

    assert lease.renew_at == math.inf


def test_an_address_that_nobody_can_call_is_the_destination_s_problem(vault_bench):
    with vault_bench.failing(DestinationRefused):
        vault_bench.put(copy(1), vault_url="http://[::1")


def test_one_quota_counts_for_one_vault_and_namespace(vault_bench):
    one = vault_bench.sink(vault_url="https://Vault.example.com:8200/")
    two = vault_bench.sink(vault_url="https://vault.example.com:8200", namespace="team")

    assert one.quota_key("") == "vault.example.com:8200"
    assert two.quota_key("") == "vault.example.com:8200/team"
