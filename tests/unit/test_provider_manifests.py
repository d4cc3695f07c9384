"""Manifests of identity providers: what may be said in them."""

from typing import Any

import pytest

from core.errors import InvalidInput
from core.manifests import parse_account
from core.provider_manifests import parse_provider

GIVEN = {
    "type": "identity-provider",
    "name": "github",
    "issuer": "https://token.actions.example.com",
    "jwks_uri": "https://token.actions.example.com/jwks",
    "audiences": ["keyturn/acme"],
}


def test_what_is_not_said_has_safe_defaults():
    manifest = parse_provider(GIVEN)

    assert manifest.algorithms == ("RS256", "ES256", "EdDSA")
    assert (manifest.subject, manifest.users, manifest.sign_in) == ("sub", None, None)


def test_discovery_is_below_the_issuer_with_or_without_a_slash_at_its_end():
    with_slash = parse_provider({**GIVEN, "issuer": "https://id.example.com/tenant/"})
    without = parse_provider({**GIVEN, "issuer": "https://id.example.com/tenant"})

    expected = "https://id.example.com/tenant/.well-known/openid-configuration"
    assert with_slash.discovery_url == without.discovery_url == expected


def test_an_issuer_that_is_no_address_needs_an_address_of_keys():
    assert parse_provider({**GIVEN, "issuer": "kubernetes/serviceaccount"})


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"issuer": None}, "issuer"),
        ({"issuer": "not an address", "jwks_uri": None}, "issuer"),
        ({"issuer": "http://token.example.com", "jwks_uri": None}, "issuer"),
        ({"issuer": "x" * 501}, "issuer"),
        ({"issuer": "https://a\nb"}, "issuer"),
        ({"audiences": None}, "audiences"),
        ({"audiences": ["a", "a"]}, "audiences.1"),
        ({"audiences": [f"a{n}" for n in range(21)]}, "audiences"),
        ({"jwks_uri": "http://keys.example.com"}, "jwks_uri"),
        ({"jwks_uri": "https://user:password@keys.example.com"}, "jwks_uri"),
        ({"jwks_uri": "https://keys.example.com/#x"}, "jwks_uri"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"algorithms": ["HS256"]}, "algorithms.0"),
        ({"algorithms": ["none"]}, "algorithms.0"),
        ({"subject": "a..b"}, "subject"),
        ({"conditions": [{"claim": "a"}]}, "conditions.0"),
        ({"conditions": [{"claim": "a", "matches": "*a"}]}, "conditions.0"),
        ({"users": "sub"}, "users"),
        ({"ca_bundle": "/etc/ssl/ca.pem"}, "ca_bundle"),
        ({"sign_in": {"client_id": "a", "scopes": ["openid"]}}, "sign_in"),
        ({"sign_in": {"client_id": "a"}, "issuer": "spiffe://acme"}, "issuer"),
        ({"name": "X"}, "name"),
        ({"name": 7}, "name"),
        ({"secret": "x"}, "secret"),
    ],
    ids=str,
)
def test_a_wrong_manifest_is_refused_by_its_field(given: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        parse_provider({name: value for name, value in {**GIVEN, **given}.items() if value})

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("value", "subject", "fits"),
    [
        ("repo:acme/app", "repo:acme/app", True),
        ("repo:acme/app", "repo:acme/app2", False),
        ("repo:acme/*", "repo:acme/app", True),
        ("repo:acme/*", "repo:acme", False),
        ("repo:*/app", "repo:x/app", False),
        ("repo:*/app", "repo:*/app", True),
    ],
)
def test_a_value_is_one_subject_or_all_that_begin_so(value: str, subject: str, fits: bool):
    entry = {"identity_provider": "github", "value": value}
    manifest = parse_account({"name": "ci-bot", "identity_provider_mapping": [entry]})

    assert manifest.identity_provider_mapping is not None
    assert manifest.identity_provider_mapping[0].fits(subject) is fits
