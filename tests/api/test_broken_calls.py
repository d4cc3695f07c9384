"""What should not happen: it is answered, logged under the request's id, and shows nothing."""

import logging
from collections.abc import Iterator

import httpx
import pytest
import structlog
from fastapi.responses import StreamingResponse
from structlog.testing import LogCapture

from api.app import create_app
from tests.support.serving import Stage
from tests.support.waiting import eventually
from tests.support.world import World

CANARY = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"


def broken() -> None:
    raise RuntimeError(f"not expected: {CANARY}")


def broken_half_way() -> StreamingResponse:
    def parts() -> Iterator[bytes]:
        yield b"first"
        broken()

    return StreamingResponse(parts())


@pytest.fixture
def logged() -> LogCapture:
    capture = LogCapture()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            capture,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
    )
    return capture


@pytest.fixture
def http(world: World, stage: tuple[Stage, str]) -> Iterator[httpx.Client]:
    """Somebody before a service with two calls that fail as none should."""
    app = create_app(world.runtime)
    app.add_api_route("/broken", broken)
    app.add_api_route("/broken-half-way", broken_half_way, response_model=None)
    player, address = stage
    with player.playing(app), httpx.Client(base_url=address, timeout=30) as client:
        yield client


def test_what_should_not_happen_is_answered_in_the_error_shape(http: httpx.Client):
    answer = http.get("/broken")

    assert answer.status_code == 500
    assert answer.json() == {
        "statusCode": 500,
        "message": "Keyturn could not answer; the log has the reason under this request's id.",
        "code": "error",
        "details": None,
    }


def test_what_should_not_happen_has_a_request_id_and_is_not_kept(http: httpx.Client):
    answer = http.get("/broken", headers={"X-Request-Id": "req-7"})

    assert answer.headers["X-Request-Id"] == "req-7"
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.law(9)
def test_what_should_not_happen_shows_nothing_to_the_caller(http: httpx.Client):
    answer = http.get("/broken")

    assert "not expected" not in answer.text
    assert CANARY not in answer.text


def test_the_reason_is_in_the_log_under_the_requests_id(http: httpx.Client, logged: LogCapture):
    http.get("/broken", headers={"X-Request-Id": "req-7"})

    entry = eventually(lambda: logged.entries)[0]
    assert (entry["event"], entry["level"]) == ("broken", "error")
    assert (entry["request_id"], entry["path"]) == ("req-7", "/broken")
    assert entry["exc_info"]


def test_every_call_is_logged_with_how_it_ended(http: httpx.Client, logged: LogCapture):
    http.get("/nowhere", headers={"X-Request-Id": "req-7"})

    assert eventually(lambda: logged.entries) == [
        {
            "event": "answered",
            "method": "GET",
            "path": "/nowhere",
            "status": 404,
            "request_id": "req-7",
            "level": "info",
            "log_level": "info",
        }
    ]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/api/v1/verify"])
def test_calls_that_come_every_second_are_not_logged(
    http: httpx.Client, logged: LogCapture, path: str
):
    http.get(path)
    http.get("/nowhere")

    assert [entry["path"] for entry in eventually(lambda: logged.entries)] == ["/nowhere"]


def test_the_connection_can_be_used_for_the_next_call(http: httpx.Client):
    statuses = [http.get(path).status_code for path in ("/broken", "/healthz", "/broken")]

    assert statuses == [500, 200, 500]


def test_an_answer_that_breaks_off_is_seen_to_break_off(http: httpx.Client, logged: LogCapture):
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/broken-half-way")

    assert eventually(lambda: logged.entries)[0]["event"] == "broken"
