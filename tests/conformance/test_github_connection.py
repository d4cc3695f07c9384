"""How the sink for GitHub Actions secrets connects, logs in and understands what it is told."""

import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from tests.conformance.sink_bench import CANARY, OURS, PATH, copy
from tests.support.github_double import (
    APP_ID,
    APP_KEY,
    INSTALLATION,
    PERSONAL_TOKEN,
    GitHubDouble,
)
from tests.support.http_double import Answer, HttpDouble, Request
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock

PERSON = {"auth_data": {"type": "token", "token": PERSONAL_TOKEN}}


def app(**changed: object) -> dict[str, object]:
    known = {"app_id": APP_ID, "installation_id": INSTALLATION, "private_key": APP_KEY}
    return {"auth_data": {"type": "app", **known, **changed}}


def pem(key: object, how: object = None) -> str:
    return key.private_bytes(  # type: ignore[attr-defined] # any of the private keys
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        how or serialization.NoEncryption(),  # type: ignore[arg-type] # one of the encryptions
    ).decode()


def test_every_call_says_which_api_it_means(github_bench, github):
    github_bench.put(copy(1))

    assert {it.headers["X-GitHub-Api-Version"] for it in github.requests} == {"2022-11-28"}
    assert {it.headers["Accept"] for it in github.requests} == {"application/vnd.github+json"}
    assert {it.headers["User-Agent"] for it in github.requests} == {"keyturn"}


def test_an_app_signs_in_as_github_asks_and_its_token_is_shared(github_bench, github):
    clock = ManualClock()
    ports = lent(clock=clock)
    sink = github_bench.sink()

    sink.put(copy(1), ports)
    sink.put(copy(2), ports)

    (login,) = github.seen("POST */access_tokens")
    signed = login.headers["Authorization"].removeprefix("Bearer ")
    said = jwt.decode(signed, options={"verify_signature": False})
    assert jwt.get_unverified_header(signed)["alg"] == "RS256"
    assert said["iss"] == APP_ID
    assert datetime.fromtimestamp(said["iat"], UTC) == clock.now().replace(
        microsecond=0
    ) - timedelta(minutes=1)
    assert said["exp"] - said["iat"] <= 600
    others = [it for it in github.requests if it is not login]
    assert {it.headers["Authorization"] for it in others} == {"Bearer ghs_canary1"}


def test_an_installation_token_is_renewed_after_two_thirds_of_its_life(github_bench):
    clock = ManualClock()
    ports = lent(clock=clock)
    sink = github_bench.sink()
    sink.put(copy(1), ports)

    clock.pass_(minutes=39)
    sink.read(PATH, ports)
    before = github_bench.logins()
    clock.pass_(minutes=2)
    sink.read(PATH, ports)

    assert (before, github_bench.logins()) == (1, 2)


def test_an_installation_token_without_an_end_counts_as_one_of_an_hour(github_bench, github):
    clock = ManualClock()
    sink = github_bench.sink()
    github.fault("POST */access_tokens", status=201, body={"token": PERSONAL_TOKEN})
    sink.read(PATH, lent(clock=clock))

    clock.pass_(minutes=41)
    sink.read(PATH, lent(clock=clock))

    assert github_bench.logins() == 2


@pytest.mark.parametrize(
    "config",
    [
        app(installation_id=43),
        app(app_id="654321"),
        app(private_key=pem(rsa.generate_private_key(65537, 2048))),
    ],
)
def test_an_app_that_github_does_not_know_is_the_destination_s_problem(github_bench, config):
    with github_bench.failing(DestinationRefused):
        github_bench.put(copy(1), **config)


@pytest.mark.parametrize("status", [403, 404, 422])
def test_an_installation_that_gets_no_token_is_the_destination_s_problem(
    github_bench, github, status
):
    github.fault("POST */access_tokens", status=status)

    with github_bench.failing(DestinationRefused) as refused:
        github_bench.put(copy(1))

    assert "installation_id" in str(refused.value)


def test_a_personal_token_works_without_a_login(github_bench, github):
    held = github_bench.put(copy(1), **PERSON)

    assert held.mark == Mark(1, 1, OURS)
    assert {it.headers["Authorization"] for it in github.requests} == {f"Bearer {PERSONAL_TOKEN}"}


def test_a_personal_token_that_ends_is_not_tried_twice(github_bench, github):
    github.fault("PUT *", status=401)

    with github_bench.failing(DestinationRefused):
        github_bench.put(copy(1), **PERSON)

    assert len(github.seen("PUT *")) == 1


def test_the_check_says_what_an_app_s_installation_may_write(github_bench, github):
    github.may = {"secrets": "write", "environments": "read"}

    said = github_bench.sink().check(github_bench.ports)

    assert said == "GitHub takes the App's key; its installation may write: secrets."
    assert [it.method for it in github.requests] == ["POST"]


def test_the_check_refuses_an_installation_that_may_write_no_secret(github_bench, github):
    github.may = {"secrets": "read", "actions_variables": "write"}

    with github_bench.failing(DestinationRefused) as refused:
        github_bench.sink().check(github_bench.ports)

    assert "may not write any secrets" in str(refused.value)


def test_the_check_says_whose_token_it_is(github_bench, github):
    said = github_bench.sink(**PERSON).check(github_bench.ports)

    assert said == "GitHub takes the token of octocat; writing was not tried."
    assert [(it.method, it.path) for it in github.requests] == [("GET", "/api/v3/user")]


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (429, {}, {}, 60),
        (429, {"Retry-After": "7"}, {}, 7),
        (403, {"Retry-After": "7"}, {}, 7),
        (403, {"Retry-After": "86400"}, {}, 3600),
        (403, {}, {"message": "You have exceeded a secondary rate limit."}, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "+90"}, {}, 90),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "-90"}, {}, 0),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "+86400"}, {}, 3600),
        (429, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, {}, 60),
    ],
)
def test_a_limit_is_waited_out_as_github_asks(github_bench, github, status, headers, body, seconds):
    clock = ManualClock()
    if headers.get("x-ratelimit-reset", "s")[0] in "+-":
        moment = int(clock.now().timestamp()) + int(headers["x-ratelimit-reset"])
        headers = {**headers, "x-ratelimit-reset": str(moment)}
    github.fault("PUT *", status=status, body=body)
    fault = github._ordered[-1]
    fault.answer = lambda _: Answer(status, json.dumps(body).encode(), headers)

    with github_bench.failing(Transient) as throttled:
        github_bench.sink(**PERSON).put(copy(1), lent(clock=clock))

    waits = throttled.value.retry_after.total_seconds()
    assert throttled.value.throttled
    assert seconds - 1 < waits <= seconds


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": CANARY}, PlaceRefused),
        (401, {"message": CANARY}, DestinationRefused),
        (403, {"message": CANARY}, PlaceRefused),
        (404, {"message": CANARY}, PlaceRefused),
        (410, {"message": CANARY}, PlaceRefused),
        (413, CANARY, PlaceRefused),
        (422, {"message": CANARY, "errors": [CANARY]}, PlaceRefused),
        (301, {"message": CANARY, "url": CANARY}, PlaceRefused),
        (307, {"message": CANARY, "url": CANARY}, PlaceRefused),
        (302, CANARY, DestinationRefused),
        (304, "", DestinationRefused),
        (408, CANARY, Transient),
        (409, CANARY, Transient),
        (500, CANARY, Transient),
        (502, f"<b>{CANARY}</b>", Transient),
        (503, {"message": CANARY}, Transient),
    ],
)
def test_a_status_is_understood_and_what_came_with_it_never_quoted(
    github_bench, github, status, body, kind
):
    github.fault("PUT *", status=status, body=body, headers={"Location": f"{github.url}/{CANARY}"})

    with github_bench.failing(kind):
        github_bench.put(copy(1), **PERSON)

    assert CANARY not in "".join(github_bench.said)
    assert github.seen("PUT *") == github.requests[-1:]


@pytest.mark.parametrize(
    "answer",
    [
        Answer.of(f"<b>{CANARY}</b>", 200, "text/html"),
        Answer.of([CANARY]),
        Answer.of({"updated_at": 7, "value": CANARY, "token": 7}),
        Answer(304),
    ],
)
@pytest.mark.parametrize("config", [app(), PERSON])
def test_an_address_that_is_not_github_is_understood_and_never_quoted(github_bench, answer, config):
    class Anything(HttpDouble):
        def answer(self, _: Request) -> Answer:
            return answer

    with Anything() as other:
        sink = github_bench.sink(base_url=other.url, **config)
        with github_bench.failing(DestinationRefused) as refused:
            sink.put(copy(1), github_bench.ports)
        with github_bench.failing(DestinationRefused):
            sink.check(github_bench.ports)

    assert "as GitHub" in str(refused.value)
    assert CANARY not in "".join(github_bench.said)


@pytest.mark.parametrize("key", [7, "", "not base64", "c2hvcnQ="])
def test_a_key_that_is_none_is_understood(github_bench, github, key):
    github.fault("GET */public-key", body={"key_id": "1", "key": key})

    with github_bench.failing(DestinationRefused):
        github_bench.put(copy(1))


def test_an_enterprise_server_s_address_without_its_path_is_found_by_the_check(
    github_bench, github
):
    with github_bench.failing(DestinationRefused) as refused:
        github_bench.sink(base_url=github.url, **PERSON).check(github_bench.ports)

    assert "base_url" in str(refused.value)


def test_a_private_authority_is_trusted_if_it_is_given_and_its_file_goes_with_the_sink(
    github_bench,
):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = authority.cert_pem.bytes().decode()
    with GitHubDouble(tls=context) as other:
        trusting = github_bench.sink(base_url=other.base_url, ca_bundle=bundle)

        trusting.put(copy(1), github_bench.ports)
        with github_bench.failing(DestinationRefused) as untrusted:
            github_bench.put(copy(1), base_url=other.base_url)
    file = Path(trusting._wire._rest._trust.path)
    trusting.close()

    assert "ca_bundle" in str(untrusted.value)
    assert not file.exists()


def test_the_pace_is_what_github_publishes_and_a_server_of_one_s_own_has_none(github_bench):
    usual = github_bench.sink(base_url="https://api.github.com").pace
    cloud = github_bench.sink(base_url="https://api.acme.ghe.com").pace
    own = github_bench.sink(base_url="https://github.example.com/api/v3", timeout=2).pace

    assert usual.per_second == cloud.per_second == 80 / 60
    assert (usual.cost, usual.concurrency) == (2, 2)
    assert (own.per_second, own.send_limit) == (None, 26)


def test_the_quota_belongs_to_the_host_and_the_installation_or_the_token(github_bench):
    at = {"base_url": "https://API.github.com"}
    installed = github_bench.sink(**at).quota_key("")
    person = github_bench.sink(**at, **PERSON).quota_key("")
    other = github_bench.sink(**at, auth_data={"type": "token", "token": "other"}).quota_key("")

    assert installed == f"api.github.com/installation-{INSTALLATION}"
    assert person.startswith("api.github.com/")
    assert len({installed, person, other}) == 3
    assert PERSONAL_TOKEN not in person


def test_an_app_s_id_may_be_a_number_or_the_client_id(github_bench):
    assert github_bench.sink(**app(app_id=123456)).auth_data.app_id == "123456"
    assert github_bench.sink(**app(app_id="Iv23liabc")).auth_data.app_id == "Iv23liabc"


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "canary"},
        {"base_url": "https://canary@github.example.com"},
        {"ca_bundle": "canary"},
        {"timeout": 0},
        {"visibility": "canary"},
        {"visibility": "selected"},
        {"selected_repository_ids": [1]},
        {"visibility": "selected", "selected_repository_ids": [0]},
        {"auth_data": {"type": "token", "token": ""}},
        {"auth_data": {"type": "token", "token": "canary\r\nX: y"}},
        {"auth_data": {"type": "odd", "token": "canary"}},
        app(app_id="canary canary"),
        app(installation_id=0),
        app(private_key="canary"),
        app(private_key="/etc/canary.pem"),
        app(private_key=pem(ec.generate_private_key(ec.SECP256R1()))),
        app(private_key=pem(rsa.generate_private_key(65537, 1024))),
        app(
            private_key=pem(
                rsa.generate_private_key(65537, 2048),
                serialization.BestAvailableEncryption(b"canary"),
            )
        ),
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(github_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        github_bench.sink(**wrong)

    assert "canary" not in str(refused.value).lower()
    assert "PRIVATE KEY" not in str(refused.value)
