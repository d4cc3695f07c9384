"""How the sink for GitLab's CI/CD variables connects and understands what it is told."""

import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from sinks.base import Removal
from tests.conformance.sink_bench import CANARY, OURS, PATH, copy
from tests.support.gitlab_double import TOKEN, GitLabDouble
from tests.support.http_double import Answer, HttpDouble, Request


def test_every_call_carries_the_token_in_a_header_alone(gitlab_bench, gitlab):
    gitlab_bench.put(copy(1))
    gitlab_bench.sink().remove(Removal(PATH, OURS), gitlab_bench.ports)

    assert {it.headers["PRIVATE-TOKEN"] for it in gitlab.requests} == {TOKEN}
    assert not any(TOKEN in f"{it.path}{it.query}" for it in gitlab.requests)


@pytest.mark.parametrize("method", ["PUT", "POST"])
@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"message": {"key": [CANARY]}}, PlaceRefused),
        (400, {"message": {"value": [CANARY]}}, PlaceRefused),
        (400, {"error": CANARY}, PlaceRefused),
        (400, CANARY, PlaceRefused),
        (401, {"message": CANARY}, DestinationRefused),
        (403, {"message": CANARY}, PlaceRefused),
        (403, {"error": "insufficient_scope", "scope": CANARY}, DestinationRefused),
        (404, {"message": CANARY}, PlaceRefused),
        (413, CANARY, PlaceRefused),
        (422, CANARY, PlaceRefused),
        (302, CANARY, DestinationRefused),
        (304, "", DestinationRefused),
        (408, CANARY, Transient),
        (409, {"message": CANARY}, Transient),
        (429, CANARY, Transient),
        (500, {"message": CANARY}, Transient),
        (502, f"<b>{CANARY}</b>", Transient),
        (503, CANARY, Transient),
    ],
)
def test_a_status_is_understood_and_what_came_with_it_never_quoted(
    gitlab_bench, gitlab, method, status, body, kind
):
    if method == "PUT":
        gitlab_bench.put(copy(1))
    location = {"Location": f"https://elsewhere.example.com/api/v4/{CANARY}"}
    gitlab.fault(f"{method} *", status=status, body=body, headers=location)

    with gitlab_bench.failing(kind):
        gitlab_bench.put(copy(2))

    assert CANARY not in "".join(gitlab_bench.said)
    assert gitlab.requests[-1].method == method


def test_a_project_that_was_moved_is_that_place_s_problem(gitlab_bench, gitlab):
    gitlab.fault("GET *", status=301, headers={"Location": f"{gitlab.url}/api/v4/projects/7"})

    with gitlab_bench.failing(PlaceRefused) as refused:
        gitlab_bench.put(copy(1))

    assert "was moved" in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        Answer.of(f"<b>{CANARY}</b>", 200, "text/html"),
        Answer.of([CANARY]),
        Answer.of({"key": CANARY, "scopes": CANARY}),
        Answer(204),
    ],
)
def test_an_address_that_is_not_gitlab_is_understood_and_never_quoted(gitlab_bench, answer):
    class Anything(HttpDouble):
        def answer(self, _: Request) -> Answer:
            return answer

    with Anything() as other:
        sink = gitlab_bench.sink(base_url=other.url)
        for ask in (sink.check, lambda ports: sink.put(copy(1), ports)):
            with gitlab_bench.failing(DestinationRefused) as refused:
                ask(gitlab_bench.ports)

    assert "as GitLab" in str(refused.value)
    assert CANARY not in "".join(gitlab_bench.said)


def test_the_check_says_until_when_the_token_is_good_and_reads_only(gitlab_bench, gitlab):
    said = gitlab_bench.sink().check(gitlab_bench.ports)

    assert said == "GitLab takes the token, which ends 2027-10-31; writing was not tried."
    assert [it.method for it in gitlab.requests] == ["GET"]


def test_the_check_refuses_a_token_that_may_not_use_the_api(gitlab_bench, gitlab):
    gitlab.scopes = ["read_api"]

    with gitlab_bench.failing(DestinationRefused) as checked:
        gitlab_bench.sink().check(gitlab_bench.ports)
    with gitlab_bench.failing(DestinationRefused) as sent:
        gitlab_bench.put(copy(1))

    assert "scope `api`" in str(checked.value)
    assert "scope `api`" in str(sent.value)


def test_a_private_authority_is_trusted_if_it_is_given_and_its_file_goes_with_the_sink(
    gitlab_bench,
):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = authority.cert_pem.bytes().decode()
    with GitLabDouble(tls=context) as other:
        trusting = gitlab_bench.sink(base_url=other.url, ca_bundle=bundle)

        trusting.put(copy(1), gitlab_bench.ports)
        with gitlab_bench.failing(DestinationRefused) as untrusted:
            gitlab_bench.put(copy(1), base_url=other.url)
    file = Path(trusting._wire._trust.path)
    trusting.close()

    assert "ca_bundle" in str(untrusted.value)
    assert not file.exists()


def test_the_pace_is_what_gitlab_com_publishes_and_others_have_none(gitlab_bench):
    public = gitlab_bench.sink(base_url="https://gitlab.com")
    own = gitlab_bench.sink(base_url="https://gitlab.example.com", timeout=2)

    assert (public.pace.per_second, public.pace.cost) == (2000 / 60, 3)
    assert (own.pace.per_second, own.pace.send_limit) == (None, 6)


def test_the_quota_belongs_to_the_host_and_the_token(gitlab_bench):
    other = {"type": "token", "token": "other"}
    key = gitlab_bench.sink(base_url="https://GitLab.com").quota_key("")

    assert key.startswith("gitlab.com/")
    assert TOKEN not in key
    assert gitlab_bench.sink(base_url="https://gitlab.com", auth_data=other).quota_key("") != key


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "canary"},
        {"base_url": "https://canary@gitlab.example.com"},
        {"ca_bundle": "canary"},
        {"timeout": 0},
        {"environment_scope": ""},
        {"environment_scope": "canary?"},
        {"variable_type": "canary"},
        {"masked": "canary"},
        {"auth_data": {"type": "token", "token": ""}},
        {"auth_data": {"type": "token", "token": "canary\r\nX: y"}},
        {"auth_data": {"type": "canary", "token": "canary"}},
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(gitlab_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        gitlab_bench.sink(**wrong)

    assert "canary" not in str(refused.value).lower()
