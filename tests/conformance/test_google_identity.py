"""In whose name Google's sink calls: keys, the host's own identity, and nothing else."""

import json
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

import google.auth.compute_engine._metadata as metadata_of_the_library
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from core.dial import AddressRules
from core.errors import DestinationRefused, KeyturnError, Misconfigured, Transient
from services.outbound import GuardedDialer
from sinks.google.host import HostGrant
from sinks.google.key import KeyFileAuth
from tests.conformance.sink_bench import CANARY, PATH, copy, token
from tests.support.google_double import GoogleDouble, key_file, private_key
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock

AMBIENT = lent(ambient_credentials=True)
PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8)
CURVED = ec.generate_private_key(ec.SECP256R1()).private_bytes(*PKCS8, NoEncryption()).decode()
LOCKED = private_key().private_bytes(*PKCS8, BestAvailableEncryption(b"canary")).decode()


def test_one_token_does_for_many_threads_and_sends(google_bench):
    sink = google_bench.sink()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: sink.put(copy(1, path=f"p/{n}"), google_bench.ports), range(8)))

    assert google_bench.logins() == 1


def test_a_token_is_replaced_when_two_thirds_of_its_hour_are_over(google_bench):
    clock = ManualClock()
    ports = lent(clock=clock)
    sink = google_bench.sink()
    logins = []

    for minutes in (0, 39, 2):
        clock.pass_(minutes=minutes)
        sink.read(PATH, ports)
        logins.append(google_bench.logins())

    assert logins == [1, 1, 2]


def test_the_key_signs_with_keyturn_s_own_time(google_bench, google):
    google.clock = ManualClock()
    right, wrong = lent(clock=ManualClock()), google_bench.ports

    google_bench.sink().check(right)
    with google_bench.failing(DestinationRefused) as refused:
        google_bench.sink().check(wrong)

    assert "clock" in str(refused.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 400, "body": {"error": "invalid_grant", "x": CANARY}}, DestinationRefused),
        ({"status": 403, "body": CANARY}, DestinationRefused),
        ({"status": 200, "body": CANARY}, DestinationRefused),
        ({"status": 200, "body": {"access_token": 7}}, DestinationRefused),
        ({"status": 200, "body": {"access_token": f"{CANARY}\r\nX: 1"}}, DestinationRefused),
        ({"status": 200, "body": {}}, DestinationRefused),
        ({"status": 302, "body": "", "headers": {"Location": "/"}}, DestinationRefused),
        ({"status": 429, "body": CANARY, "headers": {"Retry-After": "9"}}, Transient),
        ({"status": 500, "body": CANARY}, Transient),
    ],
)
def test_an_odd_answer_of_the_token_endpoint_is_understood_and_never_quoted(
    google_bench, google, answer, kind
):
    google.fault("POST /token", **answer)

    with google_bench.failing(kind) as refused:
        google_bench.put(copy(1))

    assert CANARY not in "".join(google_bench.said)
    assert getattr(refused.value, "throttled", False) == (answer["status"] == 429)


@pytest.mark.parametrize("given", [key_file(), json.dumps(key_file(), indent=2)])
def test_a_key_file_is_given_as_a_document_or_its_text(google_bench, given):
    auth = {"type": "key-file", "key_file_content": given}

    assert google_bench.put(copy(1), auth_data=auth).mark == copy(1).mark


def test_an_old_key_file_is_exchanged_at_google_s_present_address(google_bench):
    old = key_file(token_uri="https://accounts.google.com/o/oauth2/token")

    google_bench.put(copy(1), auth_data={"type": "key-file", "key_file_content": old})

    assert google_bench.stored() == token(1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("/etc/canary/key.json", "service_account"),
        ("{", "service_account"),
        ("[" * 10_000, "service_account"),
        ("[]", "service_account"),
        ({}, "service_account"),
        (json.dumps({"canary": "x" * 30_000}), "service_account"),
        ({"type": "authorized_user", "refresh_token": CANARY}, "service_account"),
        (
            {
                "type": "external_account",
                "credential_source": {"executable": {"command": f"/bin/{CANARY}"}},
                "token_url": "https://sts.googleapis.com/v1/token",
            },
            "own host",
        ),
        (
            {
                "type": "external_account",
                "credential_source": {"url": f"http://169.254.169.254/{CANARY}"},
            },
            "own host",
        ),
        ({"type": "external_account", "credential_source": {"file": "/x"}}, "own host"),
        ({"type": "impersonated_service_account"}, "service_account"),
        (key_file(token_uri=f"https://{CANARY}.example.com/token"), "token_uri"),
        (key_file(token_uri=[CANARY]), "token_uri"),
        (key_file(universe_domain=f"{CANARY}.example.com"), "universe_domain"),
        (key_file(f"{CANARY} x"), "client_email"),
        (key_file(private_key_id=f"{CANARY}\n"), "private_key_id"),
        (key_file(private_key=f"-----BEGIN PRIVATE KEY-----\n{CANARY}"), "private_key"),
        (key_file(private_key=None), "private_key"),
        (key_file(private_key=CURVED), "private_key"),
        (key_file(private_key=LOCKED), "private_key"),
        (7, "document"),
    ],
)
def test_no_other_document_is_taken_for_a_key_file_and_nothing_of_it_is_quoted(given, said):
    with pytest.raises(ValueError, match="validation error") as refused:
        KeyFileAuth.model_validate({"type": "key-file", "key_file_content": given})

    assert said in str(refused.value)
    errors: list[BaseException | None] = [refused.value]
    errors += [found.get("ctx", {}).get("error") for found in refused.value.errors()]
    while errors:
        if (error := errors.pop()) is not None:
            assert CANARY not in f"{error} {error!r} {vars(error)}"
            errors += [error.__cause__, error.__context__]


def test_the_host_s_identity_is_not_lent_unless_the_operator_says_so(google_bench, google):
    with google_bench.failing(Misconfigured) as refused:
        google_bench.put(copy(1), auth_data=None)

    assert "KEYTURN_AMBIENT_CREDENTIALS" in str(refused.value)
    assert google.requests == []


def lies_about(monkeypatch, tmp_path, document: dict[str, Any]) -> None:
    """The operator's file, as the environment names it."""
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps(document))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))


def test_the_operator_s_own_key_file_is_used_where_it_is_lent(
    google_bench, google, monkeypatch, tmp_path
):
    lies_about(monkeypatch, tmp_path, key_file(token_uri=f"{google.url}/token"))
    google_bench.ports = AMBIENT

    google_bench.put(copy(1), auth_data=None)

    assert google_bench.stored() == token(1)


def federated(google: GoogleDouble, source: dict[str, Any]) -> dict[str, Any]:
    pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x"
    return {
        "type": "external_account",
        "audience": pool,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/sts",
        "credential_source": source,
    }


def test_a_federated_workload_is_the_operator_s_to_lend(
    google_bench, google, monkeypatch, tmp_path
):
    (tmp_path / "subject").write_text("canary-subject")
    lies_about(monkeypatch, tmp_path, federated(google, {"file": str(tmp_path / "subject")}))
    google_bench.ports = AMBIENT

    google_bench.put(copy(1), auth_data=None)

    assert google_bench.stored() == token(1)
    assert google.requests[0].path == "/sts"


def test_a_federated_workload_that_is_refused_is_the_destination_s_problem(
    google_bench, google, monkeypatch, tmp_path
):
    (tmp_path / "subject").write_text("canary-other")
    lies_about(monkeypatch, tmp_path, federated(google, {"file": str(tmp_path / "subject")}))
    google_bench.ports = AMBIENT

    with google_bench.failing(DestinationRefused):
        google_bench.put(copy(1), auth_data=None)


def on_a_machine_of_google_s(google: GoogleDouble, monkeypatch, tmp_path) -> HostGrant:
    """What the library takes for the metadata server is the double."""
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("GCE_METADATA_IP", f"127.0.0.1:{google.port}")
    where = f"127.0.0.1:{google.port}"
    monkeypatch.setattr(metadata_of_the_library, "_GCE_METADATA_HOST", where)
    return HostGrant(frozenset({"127.0.0.1"}))


def test_a_machine_s_identity_comes_from_its_metadata_server_and_from_nowhere_else(
    google_bench, google, monkeypatch, tmp_path
):
    grant = on_a_machine_of_google_s(google, monkeypatch, tmp_path)
    nowhere = GuardedDialer(AddressRules(excluded=[ip_network("0.0.0.0/0")]))
    ports = lent(network=nowhere, ambient_credentials=True)
    deadline = google_bench.sink()._secret(PATH, AMBIENT)._deadline

    granted = grant(ports, deadline)

    assert granted.token.get_secret_value() in google.tokens
    assert 3000 < granted.seconds < 3601


def test_what_looks_like_a_metadata_server_elsewhere_goes_by_the_guarded_way(
    google_bench, google, monkeypatch, tmp_path
):
    on_a_machine_of_google_s(google, monkeypatch, tmp_path)
    nowhere = GuardedDialer(AddressRules(excluded=[ip_network("0.0.0.0/0")]))
    ports = lent(network=nowhere, ambient_credentials=True)

    with google_bench.failing(KeyturnError):
        google_bench.sink(auth_data=None).check(ports)

    assert google.requests == []


def test_a_metadata_server_in_trouble_is_tried_again(google_bench, google, monkeypatch, tmp_path):
    grant = on_a_machine_of_google_s(google, monkeypatch, tmp_path)
    deadline = google_bench.sink()._secret(PATH, AMBIENT)._deadline
    google.fault("GET /computeMetadata/*/token", status=503)

    with google_bench.failing(Transient):
        grant(AMBIENT, deadline)
    grant(AMBIENT, deadline)

    assert len(google.seen("GET /computeMetadata/*/token")) == 2
