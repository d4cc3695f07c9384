"""Identity providers by manifest: who may say whose JWTs are taken, and what is refused."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretStr

from core.actors import Actor, ActorKind
from core.errors import Conflict, Forbidden, InvalidInput, KeyturnError, NotFound
from core.plugins import MASK
from core.roles import Grant, Permits, Role
from core.sealing import MasterKey
from models import Audience, AuditRow, IdentityMapping, IdentityProvider
from services.identity import identity_providers
from services.identity.explaining import explain_jwt
from services.identity.identity_providers import (
    client_secret,
    delete_identity_provider,
    delete_identity_provider_by_name,
    list_identity_providers,
    put_identity_provider,
    read_identity_provider,
)
from services.manifests import apply_manifest, rehearse_manifests
from services.operation import recovery
from services.runtime import build
from tests.support.identity import trust_unseen
from tests.support.world import World

GIVEN = {
    "type": "identity-provider",
    "name": "github",
    "issuer": "https://token.actions.example.com",
    "jwks_uri": "http://127.0.0.1:1/jwks",
    "audiences": ["keyturn/acme"],
}
SIGN_IN = {"client_id": "keyturn", "client_secret": "canary-of-the-client"}


def put(world: World, **more: Any) -> identity_providers.PutProvider:
    given = {name: value for name, value in {**GIVEN, **more}.items() if value is not None}
    return put_identity_provider(world.runtime, world.admin, given)


def holding(world: World, *actions: str) -> Actor:
    role = Role("some", "tenant", frozenset(actions))
    permits = Permits((Grant(role, "tenant", "acme", tenant_wide=True),))
    return Actor(world.tenant_id, ActorKind.USER, "ann@example.com", permits=permits)


def test_a_provider_is_created_changed_and_left_alone(world: World):
    created = put(world)
    again = put(world)
    changed = put(world, audiences=["keyturn/acme", "other"], subject="repository_id")

    assert [one.created for one in (created, again, changed)] == [True, False, False]
    assert [one.changed for one in (created, again, changed)] == [True, False, True]
    assert changed.existing == GIVEN
    assert {row.audience for row in world.rows(Audience)} == {"keyturn/acme", "other"}
    actions = [row.action for row in world.rows(AuditRow) if row.subject_name == "github"]
    assert actions == ["identity-provider.created", "identity-provider.updated"]


def test_an_audience_that_goes_is_free_and_a_new_issuer_takes_all_along(world: World):
    put(world, audiences=["a", "b"])
    put(world, audiences=["a"])
    put(world, name="other", audiences=["b"])
    put(world, issuer="https://new.example.com", audiences=["a", "b"])

    held = {(row.issuer.split("/")[2], row.audience) for row in world.rows(Audience)}
    assert held == {
        ("new.example.com", "a"),
        ("new.example.com", "b"),
        ("token.actions.example.com", "b"),
    }


def test_asterisks_without_a_secret_behind_them_are_refused(world: World):
    with pytest.raises(InvalidInput, match=r"sign_in.client_secret: asterisks keep"):
        put(world, sign_in={"client_id": "a", "client_secret": MASK})


def test_only_a_tenant_admin_says_whose_jwts_are_taken(world: World):
    keeper = holding(world, "settings:read", "settings:update", "virtual-account:update")
    row = put(world).row

    for act in (
        lambda: put_identity_provider(world.runtime, keeper, {**GIVEN, "users": "email"}),
        lambda: delete_identity_provider(world.runtime, keeper, str(row.id)),
        lambda: apply_manifest(world.runtime, keeper, {**GIVEN, "name": "other"}),
    ):
        with pytest.raises(Forbidden, match="tenant-admin"):
            act()
    assert read_identity_provider(world.runtime, keeper, str(row.id)).row.id == row.id


def test_who_may_not_read_the_settings_sees_no_provider(world: World):
    row = put(world).row
    reader = holding(world, "virtual-account:read")

    for act in (
        lambda: list_identity_providers(world.runtime, reader, limit=10, offset=0),
        lambda: read_identity_provider(world.runtime, reader, str(row.id)),
        lambda: explain_jwt(world.runtime, reader, "x"),
    ):
        with pytest.raises(Forbidden, match="settings:read"):
            act()


@pytest.mark.law(9)
def test_the_clients_secret_is_sealed_and_never_shown(world: World):
    row = put(world, sign_in=SIGN_IN).row

    shown = row.manifest["sign_in"]
    audited = str([one.detail for one in world.rows(AuditRow)])

    assert shown == {"client_id": "keyturn", "client_secret": MASK}
    assert SIGN_IN["client_secret"] not in f"{audited}{row.manifest}{row.sealed!r}"
    assert client_secret(world.runtime, row) == SIGN_IN["client_secret"]


def test_asterisks_keep_the_secret_unless_it_would_go_elsewhere(world: World):
    put(world, sign_in=SIGN_IN)
    masked = {**SIGN_IN, "client_secret": MASK}

    same = put(world, sign_in=masked)
    other = put(world, sign_in=masked, users="email").row
    with pytest.raises(InvalidInput, match="issuer: to send a credential to another address"):
        put(world, sign_in=masked, issuer="https://evil.example.com")

    assert (same.changed, client_secret(world.runtime, other)) == (False, SIGN_IN["client_secret"])
    assert put(world).row.sealed is None


def test_a_secret_that_was_lost_with_the_master_key_is_told_and_asked_for_again(world: World):
    put(world, sign_in=SIGN_IN)
    settings = world.runtime.settings.model_copy(
        update={"master_keys": SecretStr(MasterKey.generate())}
    )
    other = build(settings, clock=world.clock)
    lost = recovery.replace_lost_keys(other, settings.keys())
    masked = {**SIGN_IN, "client_secret": MASK}

    assert lost == ["identity-provider:github"]
    with pytest.raises(InvalidInput, match=r"sign_in.client_secret: asterisks keep"):
        put_identity_provider(other, world.admin, {**GIVEN, "sign_in": masked, "users": "email"})
    other.close()


def test_a_dry_run_checks_all_of_it_and_writes_nothing(world: World):
    account = {
        "type": "virtual-account",
        "name": "ci-bot",
        "identity_provider_mapping": [{"identity_provider": "github", "value": "a"}],
    }

    rehearsed = rehearse_manifests(world.runtime, world.admin, [GIVEN, account])
    alone = rehearse_manifests(world.runtime, world.admin, [account])

    assert [isinstance(one, KeyturnError) for one in [*rehearsed, *alone]] == [False, False, True]
    assert world.rows(IdentityProvider) == []


def test_a_provider_that_accounts_are_mapped_to_stays(world: World):
    row = put(world).row
    mapping = [{"identity_provider": "github", "value": "a"}]
    world.put(identity_provider_mapping=mapping)

    with pytest.raises(Conflict, match="mapped to this identity provider"):
        delete_identity_provider(world.runtime, world.admin, str(row.id))
    world.put()
    delete_identity_provider_by_name(world.runtime, world.admin, "github")

    assert (world.rows(IdentityProvider), world.rows(Audience)) == ([], [])
    with pytest.raises(NotFound):
        delete_identity_provider(world.runtime, world.admin, str(row.id))


def test_a_mapping_and_a_deletion_at_the_same_time_do_not_both_happen(world: World):
    def race(number: int) -> tuple[int, int]:
        put(world, name=f"idp-{number}", audiences=[str(number)])
        mapping = [{"identity_provider": f"idp-{number}", "value": "a"}]

        def act(which: int) -> bool:
            try:
                if which:
                    world.put(f"bot-{number}", identity_provider_mapping=mapping)
                else:
                    delete_identity_provider_by_name(world.runtime, world.admin, f"idp-{number}")
            except (Conflict, InvalidInput):
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            return tuple(pool.map(act, range(2)))  # type: ignore[return-value]

    assert {sum(race(number)) for number in range(10)} == {1}
    providers = {row.id for row in world.rows(IdentityProvider)}
    assert {row.provider_id for row in world.rows(IdentityMapping)} <= providers


def test_two_who_take_the_same_audience_do_not_both_get_it(world: World):
    def act(name: str) -> bool:
        try:
            put(world, name=name)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(act, ["idp-a", "idp-b", "idp-c", "idp-d"]))

    assert sum(done) == 1
    assert len(world.rows(Audience)) == 1


def test_a_tenant_has_so_many_providers_at_most(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(identity_providers, "MOST", 1)
    put(world)

    with pytest.raises(Conflict, match="at most 1 identity providers"):
        put(world, name="other", audiences=["other"])


def test_a_page_of_providers_is_in_order_of_names(world: World):
    for name in ("okta", "azure", "github"):
        trust_unseen(world, name) if name == "github" else put(world, name=name, audiences=[name])

    page, total = list_identity_providers(world.runtime, world.admin, limit=2, offset=1)

    assert ([view.row.name for view in page], total) == (["github", "okta"], 3)
    assert page[0].fqn == "identity-provider:github"
    assert isinstance(page[0].row.id, UUID)
