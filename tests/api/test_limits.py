"""How large a call may be: what is longer is answered, not kept."""

import http.client
import json
import select
import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import httpx
import pytest
from truefoundry_sdk import HttpError

from api.serving import LONGEST_HEAD

CALL = "/api/svc/v1/virtual-accounts"
MOST = 1_048_576
TOO_LARGE = {
    "statusCode": 413,
    "message": "The body of this call is too large.",
    "code": "too_large",
    "details": None,
}
JSON = {"Content-Type": "application/json"}


def of_size(size: int) -> bytes:
    """A manifest of exactly so many bytes."""
    manifest = {"manifest": {"type": "virtual-account", "name": "ci-bot", "password": ""}}
    text = json.dumps(manifest)
    return text.replace('""', '"' + "x" * (size - len(text)) + '"').encode()


def in_chunks(body: bytes, size: int = 60_000) -> Iterator[bytes]:
    """Sent without saying beforehand how long it is."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


def raw(server: str) -> socket.socket:
    parts = urlsplit(server)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def test_a_body_as_large_as_allowed_is_read(http: httpx.Client):
    told = http.put(CALL, content=of_size(MOST), headers=JSON)
    chunked = http.put(CALL, content=in_chunks(of_size(MOST)), headers=JSON)

    assert [told.status_code, chunked.status_code] == [422, 422]
    assert told.json()["details"] == chunked.json()["details"] == [{"field": "password"}]


def test_a_body_that_is_larger_is_refused_by_its_announced_length(http: httpx.Client):
    answer = http.put(CALL, content=of_size(MOST + 1), headers=JSON)

    assert (answer.status_code, answer.json()) == (413, TOO_LARGE)
    assert HttpError.model_validate(answer.json()).status_code == 413
    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_body_of_unknown_length_is_refused_once_it_is_larger(http: httpx.Client):
    answer = http.put(CALL, content=in_chunks(of_size(MOST + 1)), headers=JSON)

    assert (answer.status_code, answer.json()) == (413, TOO_LARGE)


@pytest.mark.parametrize("chunked", [False, True])
def test_a_client_that_sends_all_before_it_reads_gets_the_answer(http: httpx.Client, chunked: bool):
    body = of_size(20 * MOST)

    answer = http.put(CALL, content=in_chunks(body) if chunked else body, headers=JSON)

    assert answer.status_code == 413
    assert answer.headers["Connection"] == "close"
    assert http.get(CALL).status_code == 200


def test_a_large_body_is_refused_before_anybody_asks_who_sends_it(anybody: httpx.Client):
    assert anybody.put(CALL, content=of_size(2 * MOST), headers=JSON).status_code == 413
    assert anybody.put(CALL, content=of_size(100), headers=JSON).status_code == 401


def test_a_client_that_asks_first_is_refused_before_it_has_sent_anything(server: str):
    with raw(server) as connection:
        connection.sendall(
            f"PUT {CALL} HTTP/1.1\r\nHost: keyturn\r\nContent-Type: application/json\r\n"
            f"Content-Length: {MOST + 1}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        answer = http.client.HTTPResponse(connection)
        answer.begin()

        assert answer.status == 413
        assert json.loads(answer.read()) == TOO_LARGE
        assert connection.recv(1) == b""


def test_a_client_that_goes_away_half_way_disturbs_nobody(server: str, http: httpx.Client):
    with raw(server) as connection:
        connection.sendall(
            f"PUT {CALL} HTTP/1.1\r\nHost: keyturn\r\nContent-Length: {MOST + 1}\r\n\r\n".encode()
        )
    with raw(server) as connection:
        connection.sendall(
            f"PUT {CALL} HTTP/1.1\r\nHost: keyturn\r\nContent-Length: 1000\r\n\r\n{{".encode()
        )

    assert http.get(CALL).status_code == 200


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\x80", '{"manifest": "é'.encode("latin-1")])
def test_bytes_that_are_no_json_are_refused_by_name(http: httpx.Client, body: bytes):
    answer = http.put(CALL, content=body, headers=JSON)

    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_input"
    assert answer.json()["details"][0]["field"] == "body"


def test_a_head_that_does_not_end_is_refused(server: str):
    refusal, sent = b"HTTP/1.1 400 ", 0
    answer = refusal  # whoever sends on may be hung up on before they read it
    with raw(server) as line, suppress(ConnectionError):
        line.sendall(b"GET /healthz HTTP/1.1\r\nHost: keyturn\r\nX-Long: ")
        for _ in range(1_000):
            if select.select([line], [], [], 0)[0]:
                break
            line.sendall(b"x" * 10_000)
            sent += 10_000
        answer = line.recv(100)

    assert answer.startswith(refusal)
    assert LONGEST_HEAD <= sent < 10_000_000  # not earlier, and not never


def test_heads_of_ordinary_length_come_one_after_the_other_on_a_line(server: str):
    long = {"X-Long": "x" * 40_000}
    with httpx.Client(base_url=server, headers=long) as http:
        answers = [http.post("/healthz", content=b"y" * 300_000) for _ in range(3)]
        answers += [http.get("/healthz") for _ in range(3)]

    assert [answer.status_code for answer in answers] == [405] * 3 + [200] * 3
