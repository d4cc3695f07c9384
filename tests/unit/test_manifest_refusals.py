from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.manifests import check_policy, parse_account
from core.policy import Policy
from core.spelling import reference_spelling

CANARY = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"
NAMES = (
    "a name has 3 to 36 characters: lowercase letters, digits and hyphens; "
    "it starts with a letter and ends with a letter or digit"
)
TOO_MANY = "this grace would keep more than 10 generations alive; shorten it or rotate less often"
CRON = "give a cron expression of five fields that fires, like '0 3 * * MON'"
FORMS = "give a duration like 90s, 30m, 12h, 7d or P45D"
STORE = {"integration_fqn": "a", "secret_path": "x"}
TARGET = {"type": "console", "notification_channel": "a"}
GRANT = {"resource_fqn": "acme", "resource_type": "account", "role_id": "tenant-admin"}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
FIELDS = [
    "name",
    "type",
    "permissions",
    "expiration_date",
    "auto_rotate",
    "notification_target",
    "notification_targets",
    "secret_store_config",
    "secret_store_configs",
    "ownedBy",
    "owned_by",
    "tags",
    "token_type",
]
INNER = [
    "auto_rotate_interval",
    "grace_period",
    "interval",
    "grace",
    "schedule",
    "timezone",
    "spread",
    "max_hold",
    "type",
    "notification_channel",
    "to_emails",
    "channels",
    "to",
    "integration_fqn",
    "secret_path",
    "required",
    "resource_fqn",
    "team",
]
nearly_manifests = st.dictionaries(
    st.sampled_from(FIELDS),
    json_values
    | st.dictionaries(st.sampled_from(INNER), json_values, max_size=5)
    | st.lists(st.dictionaries(st.sampled_from(INNER), json_values, max_size=5), max_size=3),
)


def refusal(given: dict[str, Any]) -> InvalidInput:
    """How this manifest is refused."""
    with pytest.raises(InvalidInput) as refused:
        parse_account(reference_spelling(given))
    return refused.value


def outcome(read: Callable[[], object]) -> type | None:
    """What kind of error reading raises, if any."""
    try:
        read()
    except Exception as error:  # noqa: BLE001 - the property says which ones there may be
        return type(error)
    return None


@settings(max_examples=200)
@given(st.dictionaries(st.text(), json_values) | nearly_manifests)
def test_any_json_object_is_read_or_refused_as_invalid_input(given: dict[str, Any]):
    assert outcome(lambda: parse_account(reference_spelling(given))) in {None, InvalidInput}


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 37, "1bot", "-bot", "bot-", "Bot", "ci_bot", "ci bot", "bót", "bot\n"]
)
def test_a_name_outside_the_rule_is_refused_with_the_rule(name: str):
    assert str(refusal({"name": name})) == f"name: {NAMES}"


def test_a_manifest_without_a_name_is_refused():
    assert str(refusal({"type": "virtual-account"})) == "name: Field required"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("type", "team", "type: Input should be 'virtual-account'"),
        ("token_type", "jws", "token_type: Input should be 'opaque' or 'jwt'"),
        ("permissions", [], "permissions: List should have at least 1 item after validation"),
        ("permissions", {}, "permissions: Input should be a valid list"),
        ("permissions", [{}], "permissions.0.resource_fqn: Field required"),
        (
            "permissions",
            [GRANT, GRANT | {"role_id": ""}],
            "permissions.1.role_id: String should have at least 1 character",
        ),
        (
            "permissions",
            [GRANT | {"role": 1}],
            "permissions.0.role: Extra inputs are not permitted",
        ),
        ("expiration_date", "soon", "expiration_date: give a date like 2026-12-31"),
        ("expiration_date", 0, "expiration_date: give a date like 2026-12-31"),
        ("expiration_date", "2026-12-31T00:00:00Z", "expiration_date: give a date like 2026-12-31"),
        ("expiration_date", "2026-02-30", "expiration_date: Input should be a valid date"),
        ("expiration_date", "0000-01-01", "expiration_date: Input should be a valid date"),
        ("auto_rotate", True, "auto_rotate: Input should be a valid dictionary"),
        ("auto_rotate", {"interval": "soon"}, f"auto_rotate.interval: {FORMS}"),
        ("auto_rotate", {"interval": "Psoon"}, f"auto_rotate.interval: {FORMS}"),
        ("auto_rotate", {"grace": 30}, f"auto_rotate.grace: {FORMS}"),
        ("auto_rotate", {"spread": "-1h"}, f"auto_rotate.spread: {FORMS}"),
        (
            "auto_rotate",
            {"max_hold": "200000d"},
            "auto_rotate.max_hold: give a duration between 0 and 100 years",
        ),
        ("auto_rotate", {"interval": "0s"}, "auto_rotate: an interval is longer than nothing"),
        (
            "auto_rotate",
            {"interval": "1h", "schedule": "0 3 * * *"},
            "auto_rotate: give schedule or interval, not both",
        ),
        (
            "auto_rotate",
            {"auto_rotate_interval": 0},
            "auto_rotate.auto_rotate_interval: Input should be greater than or equal to 1",
        ),
        (
            "auto_rotate",
            {"auto_rotate_interval": 1.5},
            "auto_rotate.auto_rotate_interval: Input should be a valid integer",
        ),
        (
            "auto_rotate",
            {"grace_period": -1},
            "auto_rotate.grace_period: Input should be greater than or equal to 0",
        ),
        ("auto_rotate", {"every": "1h"}, "auto_rotate.every: Extra inputs are not permitted"),
        (
            "secret_store_config",
            {"secret_path": "x"},
            "secret_store_config.integration_fqn: Field required",
        ),
        (
            "secret_store_config",
            STORE | {"secret_path": ""},
            "secret_store_config.secret_path: String should have at least 1 character",
        ),
        (
            "secret_store_configs",
            [STORE, {}],
            "secret_store_configs.1.integration_fqn: Field required",
        ),
        (
            "secret_store_configs",
            [STORE] * 21,
            "secret_store_configs: List should have at most 20 items",
        ),
        (
            "notification_target",
            {"type": "email", "notification_channel": "a", "to_emails": ["nobody"]},
            "notification_target.to_emails.0: give an e-mail address",
        ),
        (
            "notification_target",
            {"type": "slack-bot", "notification_channel": "a", "channels": []},
            "notification_target.channels: List should have at least 1 item",
        ),
        (
            "notification_target",
            {"type": ["email"], "notification_channel": "a"},
            "notification_target.type: Input should be a valid string",
        ),
        ("ownedBy", {"account": "x"}, "owned_by.team: Field required"),
        ("tags", ["a"], "tags: Input should be a valid dictionary"),
        ("tags", {str(n): n for n in range(51)}, "tags: Dictionary should have at most 50 items"),
        ("tags", {"a": "\0"}, "tags.a: this text has a NUL character or half a surrogate pair"),
        ("tags", {"a": "\ud800"}, "tags.a: this text has a NUL character or half a surrogate pair"),
        ("tags", {"\0": 1}, "tags: this text has a NUL character or half a surrogate pair"),
        ("tags", {"a": [1, float("nan")]}, "tags.a.1: give a finite number"),
        ("tags", {"a": float("inf")}, "tags.a: give a finite number"),
        ("colour", "red", "colour: Extra inputs are not permitted"),
        ("identity_provider_mapping", [{}], "identity_provider_mapping.0.identity_provider: Field"),
    ],
)
def test_a_refusal_names_the_field_and_what_it_allows(field: str, value: object, message: str):
    refused = refusal({"name": "ci-bot", field: value})

    assert str(refused).startswith(message)
    assert str(refused).startswith(f"{refused.field}: ")


@pytest.mark.parametrize(
    ("one", "several"),
    [
        ({"secret_store_config": STORE}, {"secret_store_configs": [STORE]}),
        ({"notification_target": TARGET}, {"notification_targets": [TARGET]}),
    ],
)
def test_one_and_several_at_the_same_time_are_refused(one: dict[str, Any], several: dict[str, Any]):
    refused = refusal({"name": "ci-bot", **one, **several})

    assert str(refused) == f"manifest: give {next(iter(one))} or {next(iter(several))}, not both"


def test_what_is_nested_without_end_is_refused():
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}

    assert str(refusal({"tags": deep})).endswith("this is nested more than 32 levels deep")


@pytest.mark.law(9)
@pytest.mark.parametrize(
    "given",
    [
        {"name": CANARY},
        {"name": "ci-bot", "type": CANARY},
        {"name": "ci-bot", "token_type": CANARY},
        {"name": "ci-bot", "permissions": CANARY},
        {"name": "ci-bot", "permissions": [CANARY]},
        {"name": "ci-bot", "expiration_date": CANARY},
        {"name": "ci-bot", "auto_rotate": CANARY},
        {"name": "ci-bot", "auto_rotate": {"interval": CANARY}},
        {"name": "ci-bot", "auto_rotate": {"interval": f"P{CANARY}"}},
        {"name": "ci-bot", "auto_rotate": {"auto_rotate_interval": CANARY}},
        {"name": "ci-bot", "secret_store_config": CANARY},
        {"name": "ci-bot", "secret_store_config": STORE | {"required": CANARY}},
        {"name": "ci-bot", "secret_store_config": STORE | {"type": CANARY}},
        {"name": "ci-bot", "notification_target": CANARY},
        {"name": "ci-bot", "notification_target": {"type": CANARY}},
        {
            "name": "ci-bot",
            "notification_target": {
                "type": "email",
                "notification_channel": "a",
                "to_emails": [CANARY],
            },
        },
        {"name": "ci-bot", "tags": CANARY},
        {"name": "ci-bot", "password": CANARY},
    ],
)
def test_a_refusal_never_quotes_what_was_given(given: dict[str, Any]):
    assert CANARY not in str(refusal(given))


def limited(policy: Policy, **limits: Any) -> None:
    given = {
        "now": datetime(2026, 3, 2, tzinfo=UTC),
        "smallest_interval": timedelta(days=30),
        "smallest_grace": timedelta(days=1),
        "max_live_generations": 10,
    }
    check_policy(policy, **{**given, **limits})


def policy(**fields: Any) -> Policy:
    given = {"grace": timedelta(days=7), "max_hold": timedelta(days=7)}
    return Policy(**{**given, **fields})


def test_a_policy_at_the_tenants_limits_is_allowed():
    limited(policy(interval=timedelta(days=30), grace=timedelta(days=1)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"interval": timedelta(days=29)},
            "auto_rotate.interval: the smallest interval of this tenant is 30d; this one is 29d",
        ),
        (
            {"schedule": "0 3 * * MON"},
            "auto_rotate.schedule: the smallest interval of this tenant is 30d; this one is 7d",
        ),
        (
            {"interval": timedelta(days=30), "grace": timedelta(hours=12)},
            "auto_rotate.grace: the smallest grace of this tenant is 1d",
        ),
        (
            {"interval": timedelta(days=30), "grace": timedelta(days=271)},
            f"auto_rotate.grace: {TOO_MANY}",
        ),
        (
            {"interval": timedelta(days=30), "timezone": "Berlin"},
            "auto_rotate.timezone: give an IANA time zone like Europe/Berlin",
        ),
        (
            {"schedule": "weekly"},
            f"auto_rotate.schedule: {CRON}",
        ),
    ],
)
def test_a_policy_beyond_the_tenants_limits_is_refused_with_the_limit(
    fields: dict[str, Any], message: str
):
    with pytest.raises(InvalidInput) as refused:
        limited(policy(**fields))

    assert str(refused.value) == message


def test_a_grace_of_nothing_is_refused_even_where_any_grace_is_allowed():
    with pytest.raises(InvalidInput, match=r"^auto_rotate\.grace: "):
        limited(
            policy(interval=timedelta(days=30), grace=timedelta(0)), smallest_grace=timedelta(0)
        )


def test_as_many_generations_may_live_as_the_tenant_allows():
    limited(policy(interval=timedelta(days=30), grace=timedelta(days=270)))
