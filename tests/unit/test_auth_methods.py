"""Auth methods of Vaults, as operators name them and as integrations reach them."""

import pytest
from pydantic import ValidationError

from core.auth_methods import auth_method, parse_auth_methods
from core.settings import Settings
from services.runtime import build

VAULT = "https://vault.example.com:8200"


@pytest.mark.parametrize(
    ("vault", "namespace", "mount", "method"),
    [
        (VAULT, None, "kubernetes", f"{VAULT}/v1/auth/kubernetes"),
        (f"{VAULT}/", "", "kubernetes", f"{VAULT}/v1/auth/kubernetes"),
        ("HTTPS://Vault.Example.com:8200", None, "k", f"{VAULT}/v1/auth/k"),
        (VAULT, "team/eu/", "a/b", f"{VAULT}/v1/team/eu/auth/a/b"),
        ("https://v.example:443", None, "k", "https://v.example/v1/auth/k"),
        ("http://v.example:80/", None, "k", "http://v.example/v1/auth/k"),
        ("http://v.example:443", None, "k", "http://v.example:443/v1/auth/k"),
        ("https://v.example/Behind/it/", None, "k", "https://v.example/Behind/it/v1/auth/k"),
        ("https://[2001:DB8::1]:8200", None, "k", "https://[2001:db8::1]:8200/v1/auth/k"),
    ],
)
def test_one_auth_method_has_one_spelling(vault, namespace, mount, method):
    assert auth_method(vault, namespace, mount) == method
    assert parse_auth_methods(f" {method}/ ,") == (method,)


def test_a_vault_alone_stands_for_its_usual_method():
    assert parse_auth_methods(f"{VAULT}, http://V:80/behind/") == (
        f"{VAULT}/v1/auth/kubernetes",
        "http://v/behind/v1/auth/kubernetes",
    )


@pytest.mark.parametrize(
    "text",
    [
        "vault.example.com",
        "ftp://vault.example.com",
        "https://",
        "https://user:canary@vault.example.com",
        f"{VAULT}?canary=1",
        f"{VAULT}#canary",
        f"{VAULT}/v1/auth/../x",
        f"{VAULT} {VAULT}",
    ],
)
def test_what_is_no_address_is_refused_without_being_quoted(text, monkeypatch):
    monkeypatch.setenv("KEYTURN_AMBIENT_VAULTS", text)

    with pytest.raises(ValidationError, match="separated by commas") as refused:
        Settings()

    assert "canary" not in str(refused.value)


def test_plugins_are_lent_what_the_operator_names(tmp_path, monkeypatch):
    monkeypatch.setenv("KEYTURN_AMBIENT_VAULTS", VAULT)
    runtime = build(Settings(data_dir=tmp_path))

    lent = runtime.ports
    runtime.close()

    assert lent.ambient_vaults == (f"{VAULT}/v1/auth/kubernetes",)
    assert str(lent.service_account) == "/var/run/secrets/kubernetes.io/serviceaccount"
