"""How Google's sink connects, and how it understands what it is told."""

import json
import logging
import ssl
from datetime import timedelta
from typing import Any

import pytest
import trustme

from core.errors import (
    DestinationRefused,
    PlaceRefused,
    Transient,
)
from tests.conformance.sink_bench import CANARY, copy, token
from tests.support.google_double import GoogleDouble, failure
from tests.support.http_double import Fault
from tests.support.lending import lent

GET, CREATE, ADD = "GET */secrets/keyturn__app__key", "POST */secrets", "POST *:addVersion"
AMBIENT = lent(ambient_credentials=True)
ODD = f"<html>{CANARY}</html>"


def answers(google: GoogleDouble, match: str, status: int, message: str = CANARY, **about: Any):
    """The next matching call gets this error of Google's."""
    said = failure(status, f"{message} {CANARY}", **about)
    google.order(Fault(match, answer=lambda _: said))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ({"status": 503, "body": ODD}, Transient),
        ({"status": 502, "body": ODD}, Transient),
        ({"status": 429, "body": ODD}, Transient),
        ({"status": 412, "body": ODD}, Transient),
        ({"status": 408, "body": ODD}, Transient),
        ({"status": 401, "body": ODD}, DestinationRefused),
        ({"status": 403, "body": ODD}, DestinationRefused),
        ({"status": 404, "body": ODD}, DestinationRefused),
        ({"status": 404, "body": [CANARY]}, DestinationRefused),
        ({"status": 400, "body": {"error": CANARY}}, DestinationRefused),
        ({"status": 200, "body": ODD}, DestinationRefused),
        ({"status": 200, "body": [CANARY]}, DestinationRefused),
        ({"status": 200, "body": {}}, DestinationRefused),
        ({"status": 200, "body": {"name": CANARY}}, DestinationRefused),
        ({"status": 200, "body": {"name": [CANARY]}}, DestinationRefused),
        ({"status": 307, "body": "", "headers": {"Location": "/"}}, DestinationRefused),
    ],
)
def test_an_odd_answer_is_understood_and_never_quoted(google_bench, google, answer, kind):
    google.fault(GET, times=None, **answer)

    with google_bench.failing(kind):
        google_bench.put(copy(1))

    assert CANARY not in "".join(google_bench.said)


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        ({"status": 403, "reason": "SERVICE_DISABLED"}, DestinationRefused, "not enabled"),
        ({"status": 403, "reason": "CONSUMER_INVALID"}, DestinationRefused, "no such project"),
        ({"status": 403, "reason": "BILLING_DISABLED"}, DestinationRefused, "Billing"),
        ({"status": 403, "reason": "SECURITY_POLICY_VIOLATED"}, DestinationRefused, "perimeter"),
        ({"status": 403, "reason": CANARY}, PlaceRefused, "IAM"),
        ({"status": 403, "metadata": {"permission": CANARY}, "reason": "x"}, PlaceRefused, "this"),
        ({"status": 404, "message": "Project not found."}, DestinationRefused, "no such project"),
        ({"status": 404, "message": "projects/1/secrets/x"}, Transient, "went away"),
        ({"status": 400}, PlaceRefused, "INVALID_ARGUMENT"),
        ({"status": 400, "code": CANARY}, PlaceRefused, "unknown"),
        ({"status": 400, "code": "FAILED_PRECONDITION"}, PlaceRefused, "FAILED_PRECONDITION"),
        ({"status": 400, "message": "constraints/gcp.x"}, PlaceRefused, "organisation"),
        ({"status": 400, "message": "x/cryptoKeys/y is off"}, DestinationRefused, "KMS"),
        (
            {"status": 403, "metadata": {"permission": "cloudkms.k.use"}, "reason": "x"},
            DestinationRefused,
            "KMS",
        ),
        ({"status": 409, "code": "ALREADY_EXISTS"}, Transient, "taken"),
        ({"status": 409}, Transient, "same moment"),
        ({"status": 499}, Transient, "broke off"),
        ({"status": 504}, Transient, "in time"),
        ({"status": 500, "code": "DATA_LOSS"}, Transient, "failed"),
    ],
)
def test_an_error_of_google_s_is_read_by_its_code_and_reason(
    google_bench, google, error, kind, said
):
    answers(google, CREATE, **error)

    with google_bench.failing(kind) as refused:
        google_bench.put(copy(1))

    assert said in str(refused.value)
    assert CANARY not in "".join(google_bench.said)


def test_a_permission_that_is_missing_is_named(google_bench, google):
    google.allowed.remove("secretmanager.versions.add")

    with google_bench.failing(PlaceRefused) as refused:
        google_bench.put(copy(1))

    assert "secretmanager.versions.add" in str(refused.value)


def test_an_api_that_is_disabled_is_the_check_s_finding(google_bench, google):
    google.is_enabled = False

    with google_bench.failing(DestinationRefused) as refused:
        google_bench.sink().check(google_bench.ports)

    assert "not enabled" in str(refused.value)


def test_another_project_is_refused_as_a_whole(google_bench):
    with google_bench.failing(DestinationRefused):
        google_bench.put(copy(1), project_id="somebody-else")


@pytest.mark.parametrize(
    ("delay", "headers", "seconds"),
    [
        ("30s", {}, 30),
        ("1.5s", {}, 1.5),
        ("30s", {"Retry-After": "7"}, 7),
        ("9000s", {}, 3600),
        (CANARY, {}, None),
        ("", {}, None),
    ],
)
def test_a_used_up_quota_is_waited_for_as_google_asks(
    google_bench, google, delay, headers, seconds
):
    said = failure(429, CANARY, retry_delay=delay)
    google.fault(GET, status=429, body=json.loads(said.body), headers=headers)

    with google_bench.failing(Transient) as throttled:
        google_bench.put(copy(1))

    asked = throttled.value.retry_after
    assert throttled.value.throttled
    assert asked == (seconds and timedelta(seconds=seconds))


def test_nothing_is_tried_again_by_the_library(google_bench, google):
    google.fault("*", times=None, status=503)
    with google_bench.failing(Transient):
        google_bench.put(copy(1))
    asked = len(google.requests)
    google.clear()
    google.fault("*/v1/*", times=None, status=503)

    with google_bench.failing(Transient):
        google_bench.put(copy(1))

    assert (asked, len(google.requests)) == (1, 2)


def test_credentials_that_are_not_taken_are_replaced_once(google_bench, google):
    google.fault(GET, times=None, status=401)

    with google_bench.failing(DestinationRefused):
        google_bench.put(copy(1))

    assert google_bench.logins() == 2
    assert len(google.seen(GET)) == 2


def test_a_redirect_is_not_followed_with_the_token(google_bench, google):
    with GoogleDouble() as other:
        for match in ("POST /token", GET):
            google.fault(match, status=307, body="", headers={"Location": other.url})
            with google_bench.failing(DestinationRefused):
                google_bench.put(copy(1))

        assert other.requests == []


def test_a_certificate_that_is_not_google_s_is_refused(google_bench, google):
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    google.stop()
    google.tls = tls
    google.start()

    with google_bench.failing(DestinationRefused) as refused:
        google_bench.put(copy(1))

    assert "certificate" in str(refused.value)


def test_proxies_of_the_environment_are_not_used(google_bench, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")

    google_bench.put(copy(1))

    assert google_bench.stored() == token(1)


def test_the_library_writes_no_payload_into_a_talkative_log(google_bench, log):
    logging.getLogger("google").propagate = True

    google_bench.put(copy(1))

    assert CANARY not in log.getvalue()
