"""Any bytes as a token, over the whole service: refused, and never a server's error."""

import asyncio
from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import Service, create_app
from tests.api.gateways import FORWARD_AUTH, INTROSPECT, VERIFY
from tests.fuzz.targets import GOOD, SIGNED
from tests.support.world import new_world

SESSION = "/api/svc/v1/session"
EXCHANGE = "/api/v1/oauth2/token"
QUICK = settings(max_examples=60, deadline=None)
# Bytes, and what is nearly a token.
WRITTEN = st.binary(max_size=200) | st.builds(
    lambda text, place, byte: text[:place] + byte + text[place + 1 :],
    st.sampled_from([GOOD.encode(), SIGNED.encode()]),
    st.integers(0, 50),
    st.binary(min_size=1, max_size=1),
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("fuzzed")
    url = f"sqlite:///{folder / 'keyturn.db'}"
    with new_world(url, folder, failed_logins=1_000_000) as world:
        yield create_app(world.runtime)


def call(service: Service, path: str, header: bytes, body: bytes = b"") -> int:
    """The status; what a server would log as its own error is raised."""
    statuses: list[int] = []
    scope = {
        "type": "http",
        "method": "POST" if body else "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"authorization", header)],
        "client": ("192.0.2.7", 1),
        "scheme": "http",
        "server": ("keyturn", 80),
        "http_version": "1.1",
        "root_path": "",
        "state": {},
    }

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(str(message["status"])))

    asyncio.run(service(scope, receive, send))  # type: ignore[arg-type]
    return statuses[0]


@pytest.mark.parametrize("path", [VERIFY, FORWARD_AUTH, SESSION])
@QUICK
@given(written=WRITTEN, scheme=st.sampled_from([b"Bearer ", b"bearer  ", b"", b"Basic "]))
def test_any_authorization_header_is_refused(
    service: Service, path: str, written: bytes, scheme: bytes
):
    assert call(service, path, scheme + written) == 401


@QUICK
@given(written=WRITTEN)
def test_any_form_of_an_exchange_is_refused(service: Service, written: bytes):
    grant = b"grant_type=urn:ietf:params:oauth:grant-type:token-exchange&"
    kind = b"subject_token_type=urn:ietf:params:oauth:token-type:jwt&"
    token = quote_from_bytes(written).encode()

    assert call(service, EXCHANGE, b"", grant + kind + b"subject_token=" + token) == 400
    assert call(service, EXCHANGE, b"", written or b"x") == 400


@QUICK
@given(written=WRITTEN)
def test_nobody_introspects_with_any_bytes(service: Service, written: bytes):
    assert call(service, INTROSPECT, b"Bearer " + written, b"token=x") == 401
