"""Places with a key: several accounts in one secret, each with its own entry and form."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from core.errors import Conflict, InvalidInput
from models import DeliveryState, PlaceState
from services.accounts import account_life
from services.delivery import drift, syncing
from services.engine import tokens
from tests.support.kubernetes_double import KubernetesDouble
from tests.support.vault_double import EVERYTHING, Secret, VaultDouble
from tests.support.world import HOURLY, World, stored

PATH = "shared/keys"


@pytest.fixture
def vault() -> Iterator[VaultDouble]:
    with VaultDouble() as double:
        double.policies["root"] = {"": [*EVERYTHING[""], "patch"]}
        yield double


@pytest.fixture
def fqn(world: World, vault: VaultDouble) -> str:
    where = {"vault_url": vault.url, "kv_mount_path": "secret"}
    login = {"type": "token", "token": vault.root_token}
    kind = "secret-store/hashicorp/vault"
    return world.integration("hashicorp", "vault", kind, **where, auth_data=login)


@pytest.fixture
def cluster() -> Iterator[KubernetesDouble]:
    with KubernetesDouble() as double:
        double.tokens = {"cluster-token"}
        yield double


@pytest.fixture
def in_cluster(world: World, cluster: KubernetesDouble) -> str:
    where = {"server": cluster.url, "ca_bundle": cluster.ca_pem, "namespace": "app"}
    login = {"type": "token", "token": "cluster-token"}
    kind = "secret-store/kubernetes/secret"
    return world.integration("custom", "cluster", kind, **where, auth_data=login)


def now_in(vault: VaultDouble) -> dict[str, Any] | None:
    return vault.versions(PATH)[-1][1]


def write(vault: VaultDouble, data: dict[str, Any]) -> None:
    """Somebody else replaces all that is in the secret."""
    secret = vault._store("").secrets.setdefault(PATH, Secret("", ""))
    secret.write(data, "2026-01-01T00:00:00Z")


def place(fqn: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    return stored(fqn, PATH, **({"key": key} if key else {}), **more)


def test_two_accounts_keep_their_tokens_in_one_secret(world: World, vault, fqn):
    _, first = world.create("first-bot", secret_store_config=place(fqn, "FIRST"))
    _, second = world.create("second-bot", secret_store_config=place(fqn, "SECOND"))
    world.drain()

    assert now_in(vault) == {"FIRST": first.reveal(), "SECOND": second.reveal()}


def test_a_rotation_of_one_leaves_the_other_s_key(world: World, vault, fqn):
    first, _ = world.create("first-bot", secret_store_config=place(fqn, "FIRST"))
    _, second = world.create("second-bot", secret_store_config=place(fqn, "SECOND"))
    world.drain()

    newer = tokens.rotate_account(world.runtime, world.admin, first.id)
    world.drain()

    assert now_in(vault) == {"FIRST": newer.reveal(), "SECOND": second.reveal()}


def test_all_keys_of_a_secret_that_are_due_at_once_arrive_one_after_another(
    world: World, vault, fqn
):
    names = [f"bot-{number}" for number in range(4)]
    accounts = [
        world.create(name, auto_rotate=HOURLY, secret_store_config=place(fqn, name.upper()))[0]
        for name in names
    ]
    world.drain()
    world.clock.pass_(hours=1, minutes=1)

    world.rotate()
    world.drain()

    assert {world.fresh(account).generation for account in accounts} == {2}
    assert {it.confirmed_generation for it in world.places()} == {2}
    assert now_in(vault).keys() == {name.upper() for name in names}


def test_a_deleted_account_s_key_goes_and_the_other_s_stays(world: World, vault, fqn):
    first, _ = world.create("first-bot", secret_store_config=place(fqn, "FIRST"))
    _, second = world.create("second-bot", secret_store_config=place(fqn, "SECOND"))
    world.drain()

    account_life.delete_account(world.runtime, world.admin, first.id)
    world.drain()

    assert now_in(vault) == {"SECOND": second.reveal()}


def test_a_key_of_a_secret_belongs_to_one_account(world: World, fqn):
    world.create("first-bot", secret_store_config=place(fqn, "API_KEY"))

    with pytest.raises(Conflict, match="belongs to another virtual account"):
        world.create("second-bot", secret_store_config=place(fqn, "API_KEY"))


def test_an_account_may_keep_its_token_under_several_keys_of_a_secret(world: World, vault, fqn):
    places = [place(fqn, "API_KEY"), place(fqn, "DOTENV", form="dotenv")]

    _, token = world.create(secret_store_configs=places)
    world.drain()

    lines = f"TFY_API_KEY={token.reveal()}\nOPENAI_API_KEY={token.reveal()}\n"
    assert now_in(vault) == {"API_KEY": token.reveal(), "DOTENV": lines}


def test_a_key_s_value_may_be_a_json_document_of_chosen_fields(world: World, vault, fqn):
    fields = {"OPENAI_API_KEY": "token", "OWNER": "account", "TURN": "generation"}

    _, token = world.create(secret_store_config=place(fqn, "APP", form="json", fields=fields))
    world.drain()

    said = {"OPENAI_API_KEY": token.reveal(), "OWNER": "ci-bot", "TURN": "1"}
    assert json.loads(now_in(vault)["APP"]) == said


def test_a_changed_form_is_a_new_revision_of_the_same_token(world: World, vault, fqn):
    _, token = world.create(secret_store_config=place(fqn, "APP"))
    world.drain()

    put = world.put(secret_store_config=place(fqn, "APP", form="json", fields={"K": "token"}))
    world.drain()

    assert put.changed
    assert json.loads(now_in(vault)["APP"]) == {"K": token.reveal()}
    (kept,) = world.places()
    assert (kept.revision, kept.confirmed_revision, kept.confirmed_generation) == (2, 2, 1)


def test_the_same_form_again_writes_nothing(world: World, vault, fqn):
    config = place(fqn, "APP", form="json", fields={"K": "token"})
    world.create(secret_store_config=config)
    world.drain()

    put = world.put(secret_store_config=config)
    world.drain()

    assert not put.changed
    assert len(vault.versions(PATH)) == 1


def test_another_key_is_another_place(world: World, vault, fqn):
    _, token = world.create(secret_store_config=place(fqn, "OLD"))
    world.drain()

    world.put(secret_store_config=place(fqn, "NEW"))
    world.drain()

    assert now_in(vault) == {"NEW": token.reveal()}
    states = {it.key: it.state for it in world.places()}
    assert states == {"OLD": PlaceState.REMOVED, "NEW": PlaceState.ACTIVE}


def test_a_kept_copy_of_a_key_stays_when_the_account_goes(world: World, vault, fqn):
    account, token = world.create(secret_store_config=place(fqn, "APP", keep_copy=True))
    world.drain()

    account_life.delete_account(world.runtime, world.admin, account.id)
    world.drain()

    assert now_in(vault) == {"APP": token.reveal()}


def test_somebody_else_s_key_is_refused_until_it_may_be_adopted(world: World, vault, fqn):
    write(vault, {"APP": "foreign", "password": "hunter2"})
    _, token = world.create(secret_store_config=place(fqn, "APP"))
    world.drain()
    refused = [it.error for it in world.deliveries() if it.state is DeliveryState.FAILED]

    account = world.put(secret_store_config=place(fqn, "APP", adopt=True)).view.account
    syncing.sync_now(world.runtime, world.admin, account.id, force=True)
    world.drain()

    assert refused
    assert f"{PATH} [APP]" in str(refused[0])
    assert now_in(vault) == {"APP": token.reveal(), "password": "hunter2"}


def test_a_key_that_somebody_changed_is_found_and_repaired(world: World, vault, fqn):
    _, token = world.create("first-bot", secret_store_config=place(fqn, "FIRST"))
    _, other = world.create("second-bot", secret_store_config=place(fqn, "SECOND"))
    world.drain()
    write(vault, {**now_in(vault), "FIRST": "foreign", "password": "hunter2"})

    world.clock.pass_(hours=7)
    drift.check_due(world.runtime)
    world.drain()

    assert [it.facts["account"] for it in world.told("sync.drifted")] == ["first-bot"]
    assert now_in(vault) == {
        "FIRST": token.reveal(),
        "SECOND": other.reveal(),
        "password": "hunter2",
    }


def test_the_key_of_kubernetes_is_token_unless_it_is_given(world: World, cluster, in_cluster):
    _, first = world.create("first-bot", secret_store_config=stored(in_cluster, "bots"))
    _, second = world.create(
        "second-bot", secret_store_config=stored(in_cluster, "app/bots", key="SECOND")
    )
    world.drain()

    assert cluster.values("app", "bots") == {"token": first.reveal(), "SECOND": second.reveal()}


def test_a_place_of_kubernetes_has_one_spelling(world: World, in_cluster):
    world.create("first-bot", secret_store_config=stored(in_cluster, "bots"))

    with pytest.raises(Conflict):
        world.create(
            "second-bot", secret_store_config=stored(in_cluster, "/app/bots/", key="token")
        )


@pytest.mark.parametrize(
    ("more", "field", "said"),
    [
        ({"key": "a b"}, "key", "no spaces"),
        ({"key": ""}, "key", "at least 1"),
        ({"key": "x" * 200}, "key", "at most 128"),
        ({"form": "jinja"}, "form", "'bare', 'json' or 'dotenv'"),
        ({"form": "json", "fields": {"K": "password"}}, "fields.K", "'token'"),
        ({"form": "json", "fields": {}}, "fields", "at least 1"),
        ({"form": "json", "fields": {"K": "account"}}, "", "has to be the token"),
        ({"fields": {"K": "token"}}, "", "belong to the forms"),
        ({"form": "dotenv", "fields": {"a-b": "token"}}, "", "letters, digits and underscores"),
        ({"adopt": "perhaps"}, "adopt", "valid boolean"),
        ({"template": "{{ token }}"}, "template", "not permitted"),
    ],
)
def test_what_a_place_cannot_ask_for_is_refused_with_its_field(
    world: World, fqn, more, field, said
):
    with pytest.raises(InvalidInput) as refused:
        world.create(secret_store_configs=[place(fqn, "FIRST"), {**place(fqn), **more}])

    assert refused.value.field == f"secret_store_configs.1.{field}".rstrip(".")
    assert said in str(refused.value)


def test_a_key_for_a_store_of_one_value_is_refused_with_its_field(world: World, fqn):
    files = world.file_store()

    with pytest.raises(InvalidInput) as refused:
        world.create(secret_store_configs=[place(fqn, "FIRST"), stored(files, "a/b", key="KEY")])

    assert refused.value.field == "secret_store_configs.1.key"
    assert "leave the key out" in str(refused.value)


def test_the_same_key_twice_in_a_manifest_is_refused_with_its_field(world: World, fqn):
    with pytest.raises(InvalidInput) as refused:
        world.create(secret_store_configs=[place(fqn, "A"), place(fqn, "B"), place(fqn, "A")])

    assert refused.value.field == "secret_store_configs.2.secret_path"
    assert "named twice" in str(refused.value)
