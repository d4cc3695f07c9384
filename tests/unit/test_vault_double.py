"""The Vault double, proved with hvac."""

import ssl
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import hvac
import pytest
import requests
import trustme
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError

from tests.support.vault_double import VaultDouble


def vault_client(double: VaultDouble, token: str = "", **more: Any) -> hvac.Client:
    return hvac.Client(url=double.url, token=token or double.root_token, **more)


@pytest.fixture
def vault() -> Iterator[VaultDouble]:
    with VaultDouble() as double:
        yield double


@pytest.fixture
def client(vault: VaultDouble) -> Iterator[hvac.Client]:
    made = vault_client(vault)
    with closing(made.adapter):
        yield made


@pytest.fixture
def kv(client: hvac.Client) -> Any:
    return client.secrets.kv.v2


def test_vault_numbers_versions_and_takes_only_the_expected_one(vault, kv):
    written = kv.create_or_update_secret("app/key", {"token": "1"}, cas=0)
    with pytest.raises(InvalidRequest, match=r"^check-and-set parameter did not match the current"):
        kv.create_or_update_secret("app/key", {"token": "2"}, cas=0)
    kv.create_or_update_secret("app/key", {"token": "2"}, cas=1)

    read = kv.read_secret_version("app/key", raise_on_deleted_version=True)
    assert written["data"].keys() == read["data"]["metadata"].keys()
    assert (read["data"]["data"], read["data"]["metadata"]["version"]) == ({"token": "2"}, 2)
    assert vault.versions("app/key") == [(1, {"token": "1"}), (2, {"token": "2"})]


def test_vault_keeps_ten_versions(vault, kv):
    for number in range(12):
        kv.create_or_update_secret("app/key", {"token": number})

    assert [number for number, _ in vault.versions("app/key")] == list(range(3, 13))
    assert kv.read_secret_metadata("app/key")["data"]["oldest_version"] == 3
    with pytest.raises(InvalidPath):
        kv.read_secret_version("app/key", version=2, raise_on_deleted_version=True)


def test_vault_insists_on_cas_where_the_path_requires_it(kv):
    kv.update_metadata("app/key", cas_required=True)

    with pytest.raises(InvalidRequest, match="check-and-set parameter required for this call"):
        kv.create_or_update_secret("app/key", {"token": "1"})


def test_vault_hides_deleted_versions_until_undeleted_and_destroyed_ones_for_good(vault, kv):
    for token in "123":
        kv.create_or_update_secret("app/key", {"token": token})

    kv.delete_latest_version_of_secret("app/key")
    kv.delete_secret_versions("app/key", [2])
    kv.undelete_secret_versions("app/key", [2])
    kv.destroy_secret_versions("app/key", [1])

    assert vault.versions("app/key") == [(1, None), (2, {"token": "2"}), (3, None)]
    with pytest.raises(InvalidPath) as gone:
        kv.read_secret_version("app/key", raise_on_deleted_version=True)
    assert gone.value.json["data"]["data"] is None
    assert gone.value.json["data"]["metadata"]["deletion_time"]


def test_vault_lists_and_marks_and_removes_paths(vault, kv):
    kv.create_or_update_secret("app/key", {"token": "1"})
    kv.create_or_update_secret("app/deep/key", {"token": "1"})

    kv.update_metadata("app/key", custom_metadata={"owner": "keyturn"})

    assert kv.list_secrets("app")["data"]["keys"] == ["deep/", "key"]
    assert vault.custom_metadata("app/key") == {"owner": "keyturn"}
    assert kv.read_secret_metadata("app/key")["data"]["custom_metadata"] == {"owner": "keyturn"}
    kv.delete_metadata_and_all_versions("app/key")
    with pytest.raises(InvalidPath) as gone:
        kv.read_secret_metadata("app/key")
    assert gone.value.json == {"errors": []}


def test_vault_knows_its_own_mount_only():
    with VaultDouble(mount="team/kv") as vault, closing(vault_client(vault).adapter) as adapter:
        adapter.post("/v1/team/kv/data/app", json={"data": {"token": "1"}})
        with pytest.raises(InvalidPath, match=r'^no handler for route "secret/data/app"'):
            adapter.get("/v1/secret/data/app")
        with pytest.raises(InvalidPath, match="Invalid path for a versioned K/V secrets engine"):
            adapter.get("/v1/team/kv/app")

        assert vault.versions("app") == [(1, {"token": "1"})]


def test_vault_turns_away_missing_unknown_and_expired_tokens(vault, client):
    token = vault.create_token(ttl=60)
    client.token = token
    assert client.auth.token.lookup_self()["data"]["ttl"] in {59, 60}
    now = vault.clock()

    vault.clock = lambda: now + 61

    unknown = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
    for given, words in [(token, unknown), ("hvs.wrong", unknown), (None, "permission denied")]:
        client.token = given
        with pytest.raises(Forbidden) as refused:
            client.secrets.kv.v2.read_secret_metadata("app")
        assert refused.value.errors == [words]


def test_vault_permits_what_the_longest_prefix_of_a_policy_says(vault):
    vault.policies["app"] = {
        "secret/data/app/*": ("create", "read"),
        "secret/data/app/closed": (),
    }
    client = vault_client(vault, vault.create_token(policies=["app"]))
    kv = client.secrets.kv.v2

    with closing(client.adapter):
        kv.create_or_update_secret("app/key", {"token": "1"})
        with pytest.raises(Forbidden) as not_updated:
            kv.create_or_update_secret("app/key", {"token": "2"})
        for path in ("app/closed", "other"):
            with pytest.raises(Forbidden):
                kv.read_secret_version(path, raise_on_deleted_version=True)

    assert not_updated.value.errors == ["1 error occurred:\n\t* permission denied\n\n"]
    assert vault.versions("app/key") == [(1, {"token": "1"})]


def test_vault_gives_approle_tokens_that_are_renewed_and_revoked(vault, client):
    vault.add_approle("role", "pair", ttl=60, num_uses=0)
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        client.auth.approle.login("role", "wrong")

    auth = client.auth.approle.login("role", "pair")["auth"]

    assert (auth["lease_duration"], auth["renewable"]) == (60, True)
    assert client.auth.token.renew_self(increment="120s")["auth"]["lease_duration"] == 120
    client.auth.token.revoke_self()
    client.token = auth["client_token"]
    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()


def test_vault_ends_tokens_by_uses_and_at_once_and_renews_only_the_renewable(vault, client):
    client.token = vault.create_token(num_uses=2, renewable=False)
    with pytest.raises(InvalidRequest, match="lease is not renewable"):
        client.auth.token.renew_self()
    client.auth.token.lookup_self()
    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()
    client.token = vault.create_token()

    vault.expire_tokens()

    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()


def test_vault_keeps_namespaces_apart(vault, kv):
    kv.create_or_update_secret("app", {"token": "outside"})
    inside = vault_client(vault, vault.create_token(namespace="team"), namespace="team")

    with closing(inside.adapter):
        inside.secrets.kv.v2.create_or_update_secret("app", {"token": "inside"})
        inside.adapter.namespace = None
        with pytest.raises(Forbidden):
            inside.secrets.kv.v2.read_secret_metadata("app")

    assert vault.versions("app") == [(1, {"token": "outside"})]
    assert vault.versions("app", "team") == [(1, {"token": "inside"})]


def test_a_sealed_vault_answers_nothing_until_unsealed(client):
    client.sys.seal()

    with pytest.raises(VaultDown, match="Vault is sealed"):
        client.secrets.kv.v2.read_secret_metadata("app")
    assert client.sys.read_health_status(method="GET").status_code == 503
    client.sys.submit_unseal_key("key")
    assert client.sys.read_health_status(method="HEAD").status_code == 200


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (429, "RateLimitExceeded", "rate limit quota exceeded"),
        (500, "InternalServerError", "internal error"),
        (502, "BadGateway", "<html>"),
        (503, "VaultDown", "Vault is sealed"),
    ],
)
def test_vault_fails_in_its_own_words(vault, kv, status, error, words):
    vault.fault("POST /v1/secret/data/*", status=status)

    with pytest.raises(VaultError, match=words) as failed:
        kv.create_or_update_secret("app", {"token": "1"})

    assert type(failed.value).__name__ == error
    assert vault.versions("app") == []


def test_a_vault_write_with_a_lost_answer_is_there(vault, kv):
    vault.fault("POST /v1/secret/data/*", lose_answer=True)

    with pytest.raises(requests.ConnectionError):
        kv.create_or_update_secret("app", {"token": "1"})

    assert vault.versions("app") == [(1, {"token": "1"})]


def test_a_vault_over_tls_is_trusted_by_its_authority_only(tmp_path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    with VaultDouble(tls=context) as vault:
        client = vault_client(vault, verify=str(tmp_path / "ca.pem"))
        with closing(client.adapter):
            assert client.is_authenticated()
        distrustful = vault_client(vault)
        with closing(distrustful.adapter), pytest.raises(requests.exceptions.SSLError):
            distrustful.is_authenticated()
