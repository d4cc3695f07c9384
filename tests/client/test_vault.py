"""A token that is followed in Vault."""

import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import httpx
import pytest
import trustme
from keyturn_client import TokenSource, TokenUnavailable
from keyturn_client.vault import VaultOrigin

from sinks.vault.kv import VaultSink
from tests.conformance.sink_bench import copy
from tests.support.lending import lent
from tests.support.ports import free_port
from tests.support.vault_double import VaultDouble
from tests.support.waiting import eventually

PATH = "ci/token"
READ = f"GET /v1/secret/data/{PATH}"


def kept(vault, token):
    """Somebody writes the token into Vault."""
    httpx.post(
        f"{vault.url}/v1/secret/data/{PATH}",
        headers={"X-Vault-Token": "hvs.root"},
        json={"data": {"token": token}},
        verify=False,
    ).raise_for_status()
    vault.clear()


def source_at(address, clock, path=PATH, **more):
    given = {
        "mount": "secret",
        "field": "token",
        "token": None if "token_file" in more else "hvs.root",
        "token_file": None,
        "namespace": None,
        "ca_bundle": None,
        "interval": 60.0,
        "timeout": 5.0,
    }
    return TokenSource(VaultOrigin(address, path, **{**given, **more}), clock=clock)


@pytest.fixture
def source(vault, clock):
    return source_at(vault.url, clock)


def test_the_token_is_asked_once_in_an_interval(vault, source, clock, tokens):
    kept(vault, tokens[0])
    first = {source() for _ in range(10)}
    asked = len(vault.requests)
    kept(vault, tokens[1])
    clock.now += 59
    within = source()

    clock.now += 1

    assert (first, asked, within) == ({tokens[0]}, 1, tokens[0])
    assert source() == tokens[1]
    assert len(vault.seen(READ)) == 1


def test_what_the_sink_writes_is_read(vault, clock):
    given = {"type": "token", "token": vault.root_token}
    sink = VaultSink(vault_url=vault.url, kv_mount_path="secret", auth_data=given)
    one = copy(1)
    sink.put(one, lent())
    sink.close()

    assert source_at(vault.url, clock, one.path)() == one.token.get_secret_value()


def test_the_public_constructor_reads_a_token_file_for_every_look(vault, tokens, tmp_path):
    file = tmp_path / "vault-token"
    file.write_text(vault.create_token(policies=["root"]) + "\n")
    source = TokenSource.from_vault(vault.url, PATH, token_file=file)
    kept(vault, tokens[0])
    first = source()
    vault.expire_tokens()
    kept(vault, tokens[1])

    with pytest.raises(TokenUnavailable, match=r"our credentials do not allow this, or have ended"):
        source.refresh()
    file.write_text(vault.create_token(policies=["root"]))

    assert (first, source.refresh()) == (tokens[0], tokens[1])


def test_namespaces_and_nested_mounts_are_asked_for(clock, tokens):
    with VaultDouble(mount="team/kv") as vault:
        httpx.post(
            f"{vault.url}/v1/team/kv/data/{PATH}",
            headers={"X-Vault-Token": "hvs.root", "X-Vault-Namespace": "ops"},
            json={"data": {"key": tokens[0]}},
        ).raise_for_status()
        asked = source_at(vault.url, clock, namespace="ops", mount="/team/kv/", field="key")

        assert asked() == tokens[0]
        with pytest.raises(TokenUnavailable, match="no such secret"):
            source_at(vault.url, clock, mount="team/kv", field="key")()
        assert repr(asked) == f"TokenSource(Vault {vault.url}, team/kv/data/{PATH}, key)"


def test_while_vault_is_away_the_last_token_is_kept_and_said_once(
    vault, source, clock, tokens, said
):
    kept(vault, tokens[0])
    source()
    vault.stop()
    clock.now += 60
    away = [source(), source()]
    trouble = source.trouble
    vault.start()
    clock.now += 2

    assert away == [tokens[0], tokens[0]]
    assert trouble == f"Vault {vault.url}, secret/data/{PATH}, token: no answer (ConnectError)"
    assert source() == tokens[0]
    assert said.messages == [
        f"{trouble}; the last good token is kept",
        f"Vault {vault.url}, secret/data/{PATH}, token answers again",
    ]


def test_a_vault_that_fails_is_asked_at_growing_intervals(vault, source, clock, tokens):
    kept(vault, tokens[0])
    source()
    vault.fault(READ, status=503, times=None)
    asked = []
    for _ in range(400):
        clock.now += 1
        before = len(vault.requests)
        source()
        if len(vault.requests) > before:
            asked.append(clock.now)

    waits = [after - before for before, after in pairwise(asked)]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60][: len(waits)]
    assert len(waits) >= 8


def test_without_any_token_the_reason_is_raised_and_quotes_nothing(vault, source):
    vault.fault(READ, status=500, body={"errors": ["canary"]})

    with pytest.raises(TokenUnavailable) as refused:
        source()

    assert str(refused.value) == (
        f"Vault {vault.url}, secret/data/{PATH}, token: it answers with status 500"
    )
    assert refused.value.__context__ is refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 200, "body": "canary"}, "the answer is not JSON"),
        ({"status": 200, "body": []}, "it has no field 'token' with text"),
        ({"status": 200, "body": {"data": {"data": None}}}, "it has no field 'token' with text"),
        ({"status": 200, "body": {"data": {"data": {"token": "tfy_vat_canary"}}}}, "it is cut off"),
        ({"status": 200, "body": "x" * 2_000_000}, "the answer is too long or too slow"),
        ({"status": 307, "body": "", "headers": {"Location": "/"}}, "it redirects (307)"),
        ({"status": 404, "body": ""}, "there is no such secret or account (404)"),
        ({"drop": True}, "no answer ("),
    ],
)
def test_an_odd_answer_is_understood_and_never_quoted(vault, source, tokens, answer, why):
    kept(vault, tokens[0])
    source()
    vault.fault(READ, **answer)

    with pytest.raises(TokenUnavailable) as refused:
        source.refresh()

    assert why in str(refused.value)
    assert "canary" not in str(refused.value)
    assert source() == tokens[0]


def test_a_vault_that_hangs_costs_a_timeout_and_one_thread(vault, clock, tokens):
    source = source_at(vault.url, clock, timeout=0.2)
    kept(vault, tokens[0])
    source()
    vault.clear()
    hanging = vault.fault(READ, hang=True)
    clock.now += 60

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(source)
        hanging.arrived.wait(10)
        meanwhile = [source() for _ in range(100)]
        assert waiting.result() == tokens[0]

    assert set(meanwhile) == {tokens[0]}
    assert len(vault.seen(READ)) == 1
    assert "no answer (ReadTimeout)" in (source.trouble or "")


def test_only_one_of_many_threads_asks(vault, source, tokens):
    kept(vault, tokens[0])
    vault.fault(READ, delay=0.1)
    together = threading.Barrier(16)

    def ask():
        together.wait(10)
        return source()

    with ThreadPoolExecutor(16) as pool:
        found = [asked.result() for asked in [pool.submit(ask) for _ in range(16)]]

    assert set(found) == {tokens[0]}
    assert len(vault.seen(READ)) == 1


def test_who_waited_for_a_look_that_failed_shares_its_failure(vault, source):
    hanging = vault.fault(READ, hang=True, status=503)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(source)
        hanging.arrived.wait(10)
        others = [pool.submit(source) for _ in range(7)]
        eventually(lambda: all(one.running() for one in others))
        vault.release()
        failures = [one.exception(10) for one in [first, *others]]

    assert {type(one) for one in failures} == {TokenUnavailable}
    assert len(vault.seen(READ)) < 8


def test_an_invalidated_token_is_asked_for_at_once_by_whoever_is_next(vault, source, tokens):
    kept(vault, tokens[0])
    source()
    kept(vault, tokens[1])

    source.invalidate()

    assert source() == tokens[1]


def test_invalidating_a_token_that_is_not_the_known_one_asks_nothing(vault, source, tokens):
    kept(vault, tokens[1])
    source()

    source.invalidate(tokens[0])
    source()

    assert len(vault.requests) == 1


def test_a_refused_token_that_stays_is_not_asked_for_with_every_call(vault, source, clock, tokens):
    kept(vault, tokens[0])
    source()
    vault.clear()
    for _ in range(10):
        source.invalidate(tokens[0])
        source()
    at_once = len(vault.requests)

    clock.now += 2
    source.invalidate(tokens[0])
    source()

    assert (at_once, len(vault.requests)) == (1, 2)


def test_tls_is_checked_against_the_given_authority(clock, tokens, tmp_path):
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with VaultDouble(tls=tls) as vault:
        kept(vault, tokens[0])

        trusted = source_at(vault.url, clock, ca_bundle=bundle)()

        with pytest.raises(TokenUnavailable, match="no answer"):
            source_at(vault.url, clock)()
        with pytest.raises(TokenUnavailable, match="ca_bundle: No such file"):
            source_at(vault.url, clock, ca_bundle=tmp_path / "none")()
    assert trusted == tokens[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"address": "vault.example.com"},
        {"address": "https://me:canary@vault.example.com"},
        {"address": "https://vault.example.com?x=1"},
        {"path": ""},
        {"path": "a/../b"},
        {"mount": "/"},
        {"token": None},
        {"token": "canary", "token_file": "x"},
    ],
)
def test_what_cannot_be_meant_is_refused_when_it_is_said(clock, wrong):
    address = wrong.pop("address", "https://vault.example.com")

    with pytest.raises(ValueError, match=r"give|the (mount|path|address) has") as refused:
        source_at(address, clock, wrong.pop("path", PATH), **{"token_file": None, **wrong})

    assert "canary" not in str(refused.value)


def test_a_credential_that_is_no_header_is_refused_before_it_is_sent(clock):
    source = source_at(f"http://127.0.0.1:{free_port()}", clock, token="canary\r\nX: y")

    with pytest.raises(TokenUnavailable, match="not one word") as refused:
        source()

    assert "canary" not in str(refused.value)
