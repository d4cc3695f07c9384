"""The OpenAPI document says all that there is, and its pages come from us alone."""

import base64
import re
from hashlib import sha256
from typing import Any

import httpx
import pytest

from api.described import EXAMPLES, MORE, TAGS
from tests.api.access_table import PUBLIC
from tests.api.routes import described

DOCUMENT = described()
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in DOCUMENT["paths"].items()
    for method, operation in operations.items()
}

each_operation = pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)


def statuses(call: str) -> list[str]:
    return list(OPERATIONS[call]["responses"])


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    reference = response.get("$ref")
    if reference is None:
        return response
    return DOCUMENT["components"]["responses"][reference.rpartition("/")[2]]


def test_the_document_says_what_it_is():
    assert DOCUMENT["openapi"].startswith("3.1")
    assert (DOCUMENT["info"]["title"], DOCUMENT["info"]["version"]) == ("Keyturn", "0.1.0")
    assert "Authorization: Bearer" in DOCUMENT["info"]["description"]


def test_the_document_says_how_to_log_in():
    scheme = DOCUMENT["components"]["securitySchemes"]["bearer"]

    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")


@pytest.mark.parametrize("call", OPERATIONS)
def test_a_call_asks_for_a_bearer_token_unless_it_is_public(call: str):
    asked = {"GET /api/v1/verify", "GET /api/v1/forward-auth"}
    is_open = call in PUBLIC and call not in asked

    assert OPERATIONS[call].get("security", []) == ([] if is_open else [{"bearer": []}])


@each_operation
def test_a_call_is_described_in_words(operation: dict[str, Any]):
    assert operation["summary"]
    assert operation["description"].endswith(".")


@each_operation
def test_a_call_stands_in_an_area_that_is_described(operation: dict[str, Any]):
    assert set(operation["tags"]) <= {tag["name"] for tag in TAGS}, "describe it in described.py"


def test_every_area_has_a_sentence_and_a_call():
    used = {tag for operation in OPERATIONS.values() for tag in operation["tags"]}

    assert {tag["name"] for tag in TAGS} == used
    assert [tag for tag in TAGS if not re.fullmatch(r"[A-Z].*\.", tag["description"])] == []


def test_every_operation_has_a_name_of_its_own():
    names = [operation["operationId"] for operation in OPERATIONS.values()]

    assert len(set(names)) == len(names)


@each_operation
def test_every_refusal_has_the_one_shape(operation: dict[str, Any]):
    is_oauth = operation is OPERATIONS["POST /api/v1/oauth2/token"]
    shape = "OAuthError" if is_oauth else "Error"
    for status, response in operation["responses"].items():
        if int(status) >= 400:
            content = resolved(response)["content"]["application/json"]
            assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}
            assert resolved(response)["description"]


def test_calls_are_refused_as_their_kind_is():
    accounts = "/api/svc/v1/virtual-accounts"

    assert statuses("GET /healthz") == ["200"]
    assert statuses("GET /readyz") == ["200", "503"]
    assert statuses("GET /api/v1/verify") == ["200", "401", "403", "422", "429", "503"]
    assert statuses("POST /api/v1/introspect") == (
        ["200", "401", "403", "413", "422", "429", "503"]
    )
    assert statuses(f"GET {accounts}") == ["200", "401", "403", "422", "429", "503"]
    assert statuses(f"PUT {accounts}") == (
        ["200", "401", "403", "404", "409", "412", "413", "422", "429", "503"]
    )
    assert "409" in statuses(f"GET {accounts}/{{account_id}}/token")


def test_the_words_are_about_calls_there_are():
    assert {*EXAMPLES, *MORE} - set(OPERATIONS) == set()


@pytest.mark.parametrize("call", EXAMPLES)
def test_examples_stand_with_the_body(call: str):
    shown = OPERATIONS[call]["requestBody"]["content"]["application/json"]["examples"]

    assert {name: one["value"] for name, one in shown.items()} == EXAMPLES[call]


@pytest.mark.parametrize(
    ("call", "body"),
    [(call, body) for call, bodies in EXAMPLES.items() for body in bodies.values()],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_example_is_valid(http: httpx.Client, call: str, body: dict[str, Any]):
    method, path = call.split()
    made = {"manifest": {"type": "virtual-account", "name": "some-bot"}}
    account = http.put("/api/svc/v1/virtual-accounts", json=made).json()["data"]

    answer = http.request(method, path.format(account_id=account["id"]), json=body)

    assert answer.status_code < 300, answer.text


def test_the_pages_name_no_foreign_host(anybody: httpx.Client):
    page = anybody.get("/docs")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.status_code == 200
    assert len(sources) == 3
    assert all(source.startswith("/docs/assets/") for source in sources)
    assert re.findall(r"https?://|//\w+\.\w", page.text) == []
    assert '"validatorUrl": null' in page.text


@pytest.mark.parametrize("name", ["swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"])
def test_the_pages_files_are_served_by_us(anybody: httpx.Client, name: str):
    assert anybody.get(f"/docs/assets/{name}").status_code == 200


@pytest.mark.parametrize("name", ["", "%2e%2e/core.py", "..%2fcore.py", "nothing.js"])
def test_nothing_else_is_served_with_them(anybody: httpx.Client, name: str):
    answer = anybody.get(f"/docs/assets/{name}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_pages_may_load_and_ask_only_us(anybody: httpx.Client):
    page = anybody.get("/docs")
    policy = page.headers["Content-Security-Policy"]
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    hashed = base64.b64encode(sha256(script.encode()).digest()).decode()

    assert f"script-src 'self' 'sha256-{hashed}'" in policy
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
    assert "http" not in policy
