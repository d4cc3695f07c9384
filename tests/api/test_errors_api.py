"""The one shape of every error, and what stands around every answer."""

from typing import Any

import httpx
import pytest
from truefoundry_sdk import HttpError, TrueFoundry
from truefoundry_sdk.core.api_error import ApiError

from models import AuditRow
from tests.api.calls import NOWHERE, put
from tests.support.world import World, stored

TOKEN = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"
CANARY = "hunter2-is-what-somebody-typed-into-the-wrong-field"
ACCOUNTS = "/api/svc/v1/virtual-accounts"
APPLY = "/api/svc/v1/apply"
VAULT = {"type": "integration/secret-store/hashicorp/vault", "name": "vault"}
FILES = {"type": "integration/secret-store/custom/file", "name": "files"}


def account(**fields: Any) -> dict[str, Any]:
    return {"manifest": {"type": "virtual-account", "name": "ci-bot", **fields}}


def provider(*integrations: Any, **fields: Any) -> dict[str, Any]:
    manifest = {"type": "provider-account/hashicorp", "name": "vaults", **fields}
    return {"manifest": {**manifest, "integrations": list(integrations)}}


def send(http: httpx.Client, method: str, path: str, text: str) -> httpx.Response:
    """A body that is not what `json=` would write."""
    return http.request(method, path, content=text, headers={"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", f"{ACCOUNTS}/{NOWHERE}", 404, "not_found"),
        ("GET", f"{ACCOUNTS}?limit=0", 422, "invalid_input"),
        ("GET", f"{ACCOUNTS}?limit=1001", 422, "invalid_input"),
        ("GET", f"{ACCOUNTS}?offset=-1", 422, "invalid_input"),
        ("GET", f"{ACCOUNTS}?nameSearchQuery=%00", 422, "invalid_input"),
        ("GET", f"{ACCOUNTS}/exists", 422, "invalid_input"),
        ("GET", f"{ACCOUNTS}/exists?name=%00", 422, "invalid_input"),
        ("GET", "/api/svc/v1/users?query=%00", 422, "invalid_input"),
        ("PUT", ACCOUNTS, 422, "invalid_input"),
        ("PATCH", ACCOUNTS, 405, "method_not_allowed"),
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/", 404, "not_found"),
    ],
)
def test_every_error_has_the_shape_that_the_sdk_reads(
    http: httpx.Client, method: str, path: str, status: int, code: str
):
    answer = http.request(method, path)

    error = HttpError.model_validate(answer.json())
    assert (answer.status_code, error.status_code, error.code) == (status, status, code)
    assert error.message
    assert set(answer.json()) == {"statusCode", "message", "code", "details"}


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "body"),
        ("{", "body"),
        ('{"manifest":', "body"),
        ("[]", "body"),
        ("null", "body"),
        ('"manifest"', "body"),
        ("{}", "manifest"),
        ('{"manifest": []}', "manifest"),
        ('{"manifest": {}, "dryRun": "perhaps"}', "dryRun"),
    ],
)
def test_a_body_that_is_not_what_it_should_be_is_refused_by_what_is_wrong(
    http: httpx.Client, text: str, field: str
):
    answer = send(http, "PUT", ACCOUNTS, text)

    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["details"]] == [field]
    assert answer.json()["message"].startswith(f"{field}: ")


@pytest.mark.parametrize(
    "text",
    [
        '{"manifest": {"name": "ci-bot", "tags": {"a": NaN}}}',
        '{"manifest": {"name": "ci-bot", "tags": {"a": -Infinity}}}',
        '{"manifest": {"name": "ci-bot", "tags": {"a": "\\u0000"}}}',
        '{"manifest": {"name": "ci-bot", "tags": {"a": "\\ud800"}}}',
        '{"manifest": {"name": "ci-bot", "tags": {"\\ud800": "a"}}}',
        '{"manifest": {"name": "ci-bot", "secret_store_config": {"integration_fqn": "\\u0000"}}}',
        '{"manifest": {"name": "ci-bot", "notification_targets": [{"type": []}]}}',
        '{"manifest": {"name": "ci-bot", "expiration_date": 1e300}}',
        '{"manifest": {"name": "ci-bot", "auto_rotate": {"timezone": "Europe"}}}',
        '{"manifest": {"name": "ci-bot", "tags": ' + '{"a":' * 100 + "1" + "}" * 100 + "}}",
    ],
)
def test_what_no_database_can_hold_is_refused(http: httpx.Client, text: str):
    answer = send(http, "PUT", ACCOUNTS, text)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


def test_what_is_nested_too_deeply_to_be_read_is_refused(http: httpx.Client):
    answer = send(http, "PUT", ACCOUNTS, '{"manifest":' * 50_000)

    assert answer.status_code in {400, 422}
    assert answer.json()["statusCode"] == answer.status_code


@pytest.mark.parametrize("world", ["sqlite", "postgresql"], indirect=True)
def test_the_last_date_there_is_can_be_the_expiration_date(client: TrueFoundry):
    made = put(client, expiration_date="9999-12-31")

    assert made.is_expired is False


@pytest.mark.law(9)
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (ACCOUNTS, {"manifest": CANARY}),
        (ACCOUNTS, {"manifest": {}, "dryRun": CANARY}),
        (ACCOUNTS, account(name=CANARY)),
        (ACCOUNTS, account(type=CANARY)),
        (ACCOUNTS, account(password=CANARY)),
        (ACCOUNTS, account(expiration_date=CANARY)),
        (ACCOUNTS, account(token_type=CANARY)),
        (ACCOUNTS, account(permissions=CANARY)),
        (ACCOUNTS, account(permissions=[{"role_id": CANARY}])),
        (ACCOUNTS, account(auto_rotate={"interval": CANARY})),
        (ACCOUNTS, account(auto_rotate={"schedule": CANARY})),
        (ACCOUNTS, account(auto_rotate={"timezone": CANARY})),
        (ACCOUNTS, account(secret_store_config=stored(CANARY))),
        (ACCOUNTS, account(secret_store_config={"type": CANARY})),
        (ACCOUNTS, account(notification_target={"type": CANARY})),
        (
            ACCOUNTS,
            account(notification_target={"type": "console", "notification_channel": CANARY}),
        ),
        (ACCOUNTS, account(owned_by=CANARY)),
        (ACCOUNTS, account(tags=CANARY)),
        (APPLY, {"manifest": {"type": CANARY}}),
        (APPLY, {"manifest": {"type": f"provider-account/{CANARY}"}}),
        (APPLY, provider(name=CANARY)),
        (APPLY, provider(token=CANARY)),
        (APPLY, provider(auth_data=CANARY)),
        (APPLY, provider(CANARY)),
        (APPLY, provider({"type": CANARY, "name": "vault"})),
        (APPLY, provider(FILES | {"type": FILES["type"] + CANARY})),
        (APPLY, provider(VAULT | {"name": CANARY})),
        (APPLY, provider(VAULT | {"rate": CANARY})),
        (APPLY, provider(VAULT | {"vault_url": CANARY})),
        (APPLY, provider(VAULT | {"auth_data": CANARY})),
        (APPLY, provider(VAULT | {"auth_data": {"type": CANARY}})),
        (APPLY, provider(VAULT | {"auth_data": {"token": CANARY}})),
        (APPLY, provider(VAULT | {"secret": CANARY})),
    ],
)
def test_a_refusal_never_quotes_what_was_sent(http: httpx.Client, path: str, body: dict[str, Any]):
    answer = http.put(path, json=body)

    assert answer.status_code == 422
    assert CANARY not in f"{answer.text} {answer.headers}"


@pytest.mark.law(9)
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", f"{ACCOUNTS}/{TOKEN}", None),
        ("DELETE", f"{ACCOUNTS}/{NOWHERE}/jwt/{TOKEN}", None),
        ("GET", f"{ACCOUNTS}?limit={TOKEN}", None),
        ("PUT", ACCOUNTS, {"manifest": {"name": "ci-bot", TOKEN: 1}}),
        ("PUT", ACCOUNTS, {"manifest": {"name": "ci-bot", "auto_rotate": {TOKEN: 1}}}),
        ("PUT", APPLY, {"manifest": {"type": "provider-account/aws", "name": "aws", TOKEN: 1}}),
        ("POST", f"{ACCOUNTS}/{NOWHERE}/regenerate-token", {"gracePeriodInMinutes": TOKEN}),
    ],
)
def test_a_token_in_a_path_or_a_fields_name_is_not_quoted(
    http: httpx.Client, method: str, path: str, body: dict[str, Any] | None
):
    answer = http.request(method, path, json=body)

    assert answer.status_code in {404, 422}
    assert TOKEN not in f"{answer.text} {answer.headers}"


@pytest.mark.parametrize("area", ["clusters", "workspaces"])
def test_a_call_of_the_sdk_that_is_not_served_is_not_found(client: TrueFoundry, area: str):
    with pytest.raises(ApiError) as missing:
        getattr(client, area).get("some-id")

    assert missing.value.status_code == 404
    assert missing.value.body == {
        "statusCode": 404,
        "message": "Not Found",
        "code": "not_found",
        "details": None,
    }


@pytest.mark.parametrize("given", ["abc", "A-Z_0.9", "x" * 64])
def test_a_callers_request_id_comes_back(anybody: httpx.Client, given: str):
    assert anybody.get("/healthz", headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "a\tb", "é", "{}", TOKEN])
def test_a_request_id_that_is_none_is_replaced(anybody: httpx.Client, given: str):
    answer = anybody.get("/healthz", headers={"X-Request-Id": given.encode()})

    assert len(answer.headers["X-Request-Id"]) == 32
    assert answer.headers["X-Request-Id"].isalnum()


def test_a_request_without_an_id_gets_one_of_its_own(anybody: httpx.Client):
    first, second = anybody.get("/healthz"), anybody.get("/healthz")

    assert first.headers["X-Request-Id"] != second.headers["X-Request-Id"]


def test_a_request_id_is_kept_in_the_audit_log(http: httpx.Client, world: World):
    http.put(ACCOUNTS, json=account(), headers={"X-Request-Id": "req-7"}).raise_for_status()

    [row] = world.rows(AuditRow, AuditRow.subject_name == "ci-bot")
    assert row.actor["request_id"] == "req-7"
    assert row.actor["address"] == "127.0.0.1"


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/openapi.json", "/api/v1/verify", ACCOUNTS, "/nowhere"]
)
def test_nobody_keeps_an_answer(http: httpx.Client, path: str):
    assert http.get(path).headers["Cache-Control"] == "no-store"
