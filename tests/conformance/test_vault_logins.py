"""Logins to Vault by a pod's service account and by a JWT."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from core.errors import DestinationRefused, Misconfigured, Transient
from core.ids import Mark
from core.plugins import Ports
from tests.conformance.sink_bench import OURS, copy, token
from tests.conformance.vault_bench import VaultBench
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock

POD = "canary-of-the-pod"
JWT = "canary-of-the-pipeline"
KUBERNETES = {"type": "kubernetes", "role": "keyturn"}
BY_JWT = {"type": "jwt", "role": "ci", "jwt": JWT}
LOGIN = "POST /v1/auth/kubernetes/login"


@pytest.fixture
def pod(tmp_path: Path) -> Path:
    """A pod's folder with its service account's token."""
    (tmp_path / "token").write_text(f"{POD}-1\n")
    return tmp_path


@pytest.fixture
def bench(vault_bench: VaultBench, pod: Path) -> Iterator[VaultBench]:
    """A Vault that takes the pod's first token and the pipeline's JWT."""
    vault_bench.ports = lent(
        ambient_credentials=True,
        ambient_vaults=(f"{vault_bench.double.url}/v1/auth/kubernetes",),
        service_account=pod,
    )
    vault_bench.double.add_role("kubernetes", "keyturn", f"{POD}-1", policies=["keyturn"])
    vault_bench.double.add_role("jwt", "ci", JWT, policies=["keyturn"])
    yield vault_bench
    assert [text for text in vault_bench.said if POD in text or JWT in text] == []


def at(bench: VaultBench, **changed: Any) -> Ports:
    return replace(bench.ports, **changed)


@pytest.mark.parametrize("auth", [KUBERNETES, BY_JWT])
def test_a_copy_is_written_with_the_token_that_a_login_gave(bench, auth):
    sink = bench.sink(auth_data=auth)

    held = sink.put(copy(1), bench.ports)
    again = sink.put(copy(2), bench.ports)

    assert (held.mark, again.mark) == (Mark(1, 1, OURS), Mark(1, 2, OURS))
    assert bench.stored() == token(2)
    (login,) = bench.double.seen("POST /v1/auth/*/login")
    assert login.json() == {
        "role": auth["role"],
        "jwt": f"{POD}-1" if auth is KUBERNETES else JWT,
    }
    assert login.headers["X-Vault-Token"] is None


@pytest.mark.parametrize("auth", [KUBERNETES, BY_JWT])
def test_the_check_logs_in_and_tells_the_policies(bench, auth):
    said = bench.sink(auth_data=auth).check(bench.ports)

    assert "the token's policies are keyturn" in said


@pytest.mark.parametrize("auth", [KUBERNETES, BY_JWT])
def test_a_token_that_ends_in_the_middle_of_a_send_is_replaced(bench, auth):
    bench.at_call(3, bench.double.expire_tokens)  # the first is the login

    held = bench.put(copy(1), auth_data=auth)

    assert held.mark == Mark(1, 1, OURS)
    assert bench.stored() == token(1)
    assert len(bench.double.seen("POST /v1/auth/*/login")) == 2


@pytest.mark.parametrize("auth", [KUBERNETES, BY_JWT])
def test_a_token_is_renewed_at_two_thirds_of_its_lease_and_replaced_at_its_end(bench, auth):
    clock = ManualClock()
    ports = at(bench, clock=clock)
    sink = bench.sink(auth_data=auth)
    sink.put(copy(1), ports)

    clock.pass_(seconds=801)
    sink.put(copy(2), ports)
    renewals = len(bench.double.seen("POST /v1/auth/token/renew-self"))
    bench.double.expire_tokens()
    clock.pass_(seconds=801)
    sink.put(copy(3), ports)

    assert renewals == 1
    assert len(bench.double.seen("POST /v1/auth/*/login")) == 2
    assert bench.stored() == token(3)


def test_each_login_reads_the_service_account_s_token_anew(bench, pod):
    sink = bench.sink(auth_data=KUBERNETES)
    sink.put(copy(1), bench.ports)
    (pod / "token").write_text(f"{POD}-2")
    bench.double.add_role("kubernetes", "keyturn", f"{POD}-2", policies=["keyturn"])
    bench.double.expire_tokens()

    sink.put(copy(2), bench.ports)

    assert [it.json()["jwt"] for it in bench.double.seen(LOGIN)] == [f"{POD}-1", f"{POD}-2"]
    assert bench.stored() == token(2)


@pytest.mark.parametrize(
    ("auth", "word"),
    [
        (KUBERNETES | {"role": "another"}, "bound service account"),
        (BY_JWT | {"role": "another"}, "bound claims"),
        (BY_JWT | {"jwt": f"{JWT}-which-ended"}, "past its `exp`"),
        (BY_JWT | {"mount_path": "nobody"}, "bound claims"),
    ],
)
def test_a_login_that_vault_does_not_take_is_the_destination_s_problem(bench, auth, word):
    with bench.failing(DestinationRefused) as refused:
        bench.put(copy(1), auth_data=auth)

    assert word in str(refused.value)


def test_a_service_account_that_the_role_is_not_bound_to_is_told_so(bench, pod):
    (pod / "token").write_text(f"{POD}-of-another-account")

    with bench.failing(DestinationRefused) as refused:
        bench.put(copy(1), auth_data=KUBERNETES)

    assert "service account of Keyturn's pod" in str(refused.value)


@pytest.mark.parametrize("auth", [KUBERNETES, BY_JWT])
@pytest.mark.parametrize("how", [{"status": 500}, {"drop": True}, {"status": 429}])
def test_a_login_that_gets_no_answer_is_tried_again(bench, auth, how):
    bench.double.fault("POST /v1/auth/*/login", **how)

    with bench.failing(Transient):
        bench.put(copy(1), auth_data=auth)
    held = bench.put(copy(1), auth_data=auth)

    assert held.mark == Mark(1, 1, OURS)


def test_other_mounts_and_namespaces_are_asked_where_they_are(bench):
    bench.double.add_role("jwt", "ci", JWT, mount="ci/gitlab", policies=["keyturn"])
    bench.double.add_role(
        "kubernetes", "keyturn", f"{POD}-1", mount="eu/k8s", policies=["keyturn"], namespace="team"
    )
    named = (f"{bench.double.url}/v1/team/auth/eu/k8s",)

    bench.put(copy(1), auth_data=BY_JWT | {"mount_path": "/ci//gitlab/"})
    bench.sink(auth_data=KUBERNETES | {"mount_path": "eu/k8s"}, namespace="team/").put(
        copy(1), at(bench, ambient_vaults=named)
    )

    assert len(bench.double.seen("POST /v1/auth/ci/gitlab/login")) == 1
    assert len(bench.double.seen("POST /v1/auth/eu/k8s/login")) == 1
    assert bench.double.versions("keyturn/app/key", "team") == [(1, {"token": token(1)})]


def test_the_pod_s_identity_is_the_operator_s_to_lend(bench):
    with bench.failing(Misconfigured) as refused:
        bench.sink(auth_data=KUBERNETES).put(copy(1), at(bench, ambient_credentials=False))

    assert "KEYTURN_AMBIENT_CREDENTIALS" in str(refused.value)
    assert bench.double.requests == []


@pytest.mark.parametrize(
    "changed",
    [
        {"auth_data": KUBERNETES | {"mount_path": "kubernetes2"}},
        {"auth_data": KUBERNETES | {"mount_path": "kubernetes/login"}},
        {"namespace": "team"},
        {"vault_url": "{url}/v1/team"},
        {"vault_url": "{url}/x/.."},
        {"vault_url": "http://localhost:{port}"},
        {"vault_url": "https://127.0.0.1:{port}"},
        {"vault_url": "http://[::1"},
    ],
)
def test_an_auth_method_that_the_operator_did_not_name_never_gets_the_pod_s_identity(
    bench, changed
):
    double = bench.double
    changed = {
        field: value.format(url=double.url, port=double.port) if isinstance(value, str) else value
        for field, value in changed.items()
    }

    with bench.failing(Misconfigured) as refused:
        bench.put(copy(1), **{"auth_data": KUBERNETES, **changed})

    assert "KEYTURN_AMBIENT_VAULTS" in str(refused.value)
    assert double.requests == []


def test_without_any_named_vault_the_pod_s_identity_stays_at_home(bench):
    with bench.failing(Misconfigured) as refused:
        bench.sink(auth_data=KUBERNETES).put(copy(1), at(bench, ambient_vaults=()))

    assert f"name {bench.double.url}/v1/auth/kubernetes in" in str(refused.value)


def test_a_jwt_that_was_given_needs_no_leave(bench):
    bare = at(bench, ambient_credentials=False, ambient_vaults=())

    bench.sink(auth_data=BY_JWT).put(copy(1), bare)

    assert bench.stored() == token(1)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"\xff\xfe"])
def test_a_host_without_a_service_account_says_so(bench, pod, content):
    (pod / "token").unlink()
    if content is not None:
        (pod / "token").write_bytes(content)

    with bench.failing(Misconfigured) as refused:
        bench.put(copy(1), auth_data=KUBERNETES)

    assert "no service account's token" in str(refused.value)
    assert bench.double.requests == []


@pytest.mark.parametrize(
    ("auth", "field"),
    [
        (KUBERNETES | {"jwt": "canary"}, "jwt"),
        (KUBERNETES | {"token_path": "/etc/passwd"}, "token_path"),
        (KUBERNETES | {"mount_path": "../sys"}, "mount_path"),
        (KUBERNETES | {"mount_path": "a b"}, "mount_path"),
        (KUBERNETES | {"mount_path": "/"}, "mount_path"),
        (KUBERNETES | {"role": ""}, "role"),
        ({"type": "jwt", "role": "ci"}, "jwt"),
        (BY_JWT | {"jwt": ""}, "jwt"),
    ],
)
def test_what_a_login_cannot_have_is_refused_by_its_field(bench, auth, field):
    with pytest.raises(ValidationError) as refused:
        bench.sink(auth_data=auth)

    assert refused.value.errors()[0]["loc"][-1] == field
    assert "canary" not in str(refused.value)


def test_a_jwt_is_hidden_where_an_integration_is_shown(bench):
    config = bench.config() | {"auth_data": BY_JWT}
    sink = bench.sink(auth_data=BY_JWT)

    assert sink.masked(config)["auth_data"] == BY_JWT | {"jwt": "**********"}
    assert JWT not in repr(sink)
