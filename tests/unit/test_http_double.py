"""The HTTP double: what every double of a service with an API is made of."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import pytest
import requests

from tests.support.http_double import Answer, HttpDouble, Request


class Tally(HttpDouble):
    """Counts what was applied to it."""

    def __init__(self, **tls: Any) -> None:
        super().__init__(**tls)
        self.applied = 0

    def answer(self, request: Request) -> Answer:
        self.applied += 1
        return Answer.of({"applied": self.applied, "said": request.body.decode()})


@pytest.fixture
def tally() -> Iterator[Tally]:
    with Tally() as double:
        yield double


def test_a_request_is_logged_with_its_verb_path_headers_and_body(tally):
    requests.post(f"{tally.url}/a%20b?c=d", data="hello", headers={"X-Kind": "test"}, timeout=5)

    (seen,) = tally.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/a b", {"c": "d"})
    assert (seen.headers["x-kind"], seen.body) == ("test", b"hello")


def test_a_status_is_answered_without_being_applied_and_only_so_often(tally):
    tally.fault("GET /*", times=2, status=503, headers={"Retry-After": "7"})

    answers = [requests.get(tally.url, timeout=5) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert tally.applied == 1


def test_a_fault_without_end_lasts_until_it_is_cleared(tally):
    tally.fault(lambda request: request.body == b"bad", times=None, body="<b>no</b>", status=502)
    refused = [requests.post(tally.url, data="bad", timeout=5).text for _ in range(3)]

    tally.clear()

    assert refused == ["<b>no</b>"] * 3
    assert requests.post(tally.url, data="bad", timeout=5).json()["applied"] == 1


@pytest.mark.parametrize(("fault", "applied"), [("drop", 0), ("lose_answer", 1)])
def test_a_reset_comes_before_or_after_the_request_was_applied(tally, fault, applied):
    tally.fault("POST *", **{fault: True})

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        requests.post(tally.url, data="x", timeout=5)

    assert tally.applied == applied


def test_a_hanging_request_holds_up_nobody_and_goes_on_when_released(tally):
    fault = tally.fault("POST *", hang=True)

    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(requests.post, tally.url, data="slow", timeout=30)
        assert fault.arrived.wait(5)
        first = requests.get(tally.url, timeout=5).json()["applied"]
        tally.release()
        second = hanging.result(5).json()["applied"]

    assert (first, second) == (1, 2)


def test_stopping_cuts_off_what_hangs_and_leaves_no_thread():
    before = threading.active_count()
    tally = Tally()
    tally.start()
    fault = tally.fault("POST *", hang=True)

    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(requests.post, tally.url, data="slow", timeout=30)
        assert fault.arrived.wait(5)
        tally.stop()
        error = hanging.exception(5)

    assert isinstance(error, requests.ConnectionError)
    assert (tally.applied, threading.active_count()) == (0, before)


def test_a_delay_outlasts_an_impatient_client(tally):
    tally.fault("GET *", delay=30)

    with pytest.raises(requests.ReadTimeout):
        requests.get(tally.url, timeout=0.05)


def test_a_connection_is_kept_and_an_outage_keeps_port_and_state(tally):
    with closing(HTTPConnection("127.0.0.1", tally.port, timeout=5)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        kept = connection.sock
        connection.request("GET", "/")
        connection.getresponse().read()
        assert connection.sock is kept
    tally.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(tally.url, timeout=5)

    tally.start()

    assert requests.get(tally.url, timeout=5).json()["applied"] == 3
