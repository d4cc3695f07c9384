from typing import Any

import pytest

from console.provider_form import CONDITIONS, fields_of, manifest_of
from core.plugins import MASK
from core.provider_manifests import parse_provider

PLAIN = {
    "type": "identity-provider",
    "name": "github",
    "issuer": "https://token.actions.githubusercontent.com",
    "audiences": ["one", "two"],
}
FULL: dict[str, Any] = {
    **PLAIN,
    "jwks_uri": "https://keys.example.com/jwks",
    "algorithms": ["RS256"],
    "subject": "sub",
    "users": "email",
    "conditions": [
        {"claim": "repository_id", "equals": "4711"},
        {"claim": "attempt", "equals": 1},
        {"claim": "protected", "equals": True},
        {"claim": "groups", "in": ["a", 2]},
        {"claim": "sub", "matches": "repo:acme/*"},
    ],
    "sign_in": {"client_id": "keyturn", "client_secret": MASK, "scopes": ["openid", "email"]},
}


@pytest.mark.parametrize("manifest", [PLAIN, FULL])
def test_what_nobody_has_touched_stays_as_it_was_written(manifest: dict[str, Any]):
    assert manifest_of(fields_of(manifest), manifest) == manifest


def test_what_is_empty_is_as_usual():
    fields = dict.fromkeys(fields_of(FULL), "") | {"issuer": "x", "audiences": "y"}

    assert manifest_of(fields, {"name": "github"}) == {
        "type": "identity-provider",
        "name": "github",
        "issuer": "x",
        "audiences": ["y"],
    }


def test_a_condition_is_what_its_words_say():
    rows = (
        ("text", "4711", {"equals": "4711"}),
        ("number", "4711", {"equals": 4711}),
        ("number", "many", {"equals": "many"}),
        ("true", "ignored", {"equals": True}),
        ("false", "", {"equals": False}),
        ("in", "a, b,,", {"in": ["a", "b"]}),
        ("matches", "repo:acme/", {"matches": "repo:acme/*"}),
    )
    fields: dict[str, str] = {}
    for number, (how, value, _) in enumerate(rows):
        at = f"conditions.{number}."
        fields |= {f"{at}claim": "c", f"{at}how": how, f"{at}value": value}

    assert CONDITIONS.entries(fields) == [{"claim": "c", **demand} for _, _, demand in rows]


def test_a_condition_that_is_changed_keeps_nothing_of_before():
    fields = {**fields_of(FULL), "conditions.3.value": "a, 2, b"}

    assert manifest_of(fields, FULL)["conditions"][3] == {"claim": "groups", "in": ["a", "2", "b"]}


def test_what_the_form_makes_can_be_read():
    manifest = {**FULL, "sign_in": {"client_id": "keyturn", "client_secret": "s"}}

    assert parse_provider(manifest_of(fields_of(manifest), {})).name == "github"
