"""JWTs of Keyturn's own: what they say, how long they last, and who can check them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from core.errors import InvalidInput, Transient
from core.tokens import Token
from services.accounts import account_life
from services.engine import tokens
from services.operation.tenants import set_limits
from services.verify.revocations import revoked_jwts
from tests.support.identity import trust_unseen
from tests.support.jwts import (
    ISSUER,
    checked,
    claims,
    current,
    ends,
    issued,
    jwt_key,
    kid_of,
    listed,
)
from tests.support.world import HOURLY, World, stored


def test_a_jwt_says_what_the_public_command_line_reads(world: World):
    account, token = issued(world)

    said = checked(world, token)

    assert said["tenantName"] == said["tenant"] == "acme"
    assert (said["username"], said["subjectType"]) == ("ci-bot", "serviceaccount")
    assert (said["iss"], said["sub"]) == (ISSUER, str(account.id))
    assert (said["jti"], said["generation"]) == (str(world.current(account).id), 1)
    assert said["iat"] == int(world.clock.now().timestamp())


def test_a_jwt_is_verified_like_any_token_and_kept_as_a_hash_and_a_sealed_copy(world: World):
    account, token = issued(world)

    row = world.current(account)

    assert world.works(token)
    assert row.hash == token.hash
    assert token.reveal().encode() not in (row.sealed or b"")
    assert current(world, account) == token


@pytest.mark.parametrize("algorithm", ["EdDSA", "RS256"])
def test_the_tenant_says_by_which_algorithm_its_jwts_are_signed(world: World, algorithm: str):
    set_limits(world.runtime, world.admin, {"jwt_algorithm": algorithm})

    _, token = issued(world)

    assert jwt.get_unverified_header(token.reveal())["alg"] == algorithm
    assert checked(world, token)["username"] == "ci-bot"
    assert world.works(token)


def test_another_algorithm_is_refused(world: World):
    with pytest.raises(InvalidInput, match="jwt_algorithm: give EdDSA or RS256"):
        set_limits(world.runtime, world.admin, {"jwt_algorithm": "HS256"})


def test_exp_covers_the_next_rotation_its_grace_and_the_longest_hold(world: World):
    account, token = issued(world)

    due = world.fresh(account).next_rotation_at

    assert due is not None
    assert ends(token) >= due + timedelta(minutes=10) + timedelta(hours=2)
    assert ends(token) == world.current(account).expires_at


def test_a_jwt_ends_with_its_account(world: World):
    _, token = issued(world, auto_rotate=None, expiration_date="2026-03-09")

    assert ends(token) == datetime(2026, 3, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "manifest",
    [{}, {"identity_provider_mapping": [{"identity_provider": "github", "value": "1"}]}],
)
def test_a_jwt_needs_an_end_and_an_account_with_a_token(world: World, manifest: dict[str, Any]):
    with pytest.raises(InvalidInput, match=r"^token_type: "):
        world.put(token_type="jwt", **manifest)


def test_a_jwts_rotation_is_the_ordinary_one(world: World):
    account, old = issued(world)
    world.clock.pass_(hours=1)

    world.rotate()
    new = current(world, account)
    in_grace = world.works(old)
    world.clock.pass_(minutes=10)

    assert (in_grace, world.works(old), world.works(new)) == (True, False, True)
    assert claims(new)["generation"] == 2
    assert world.refusal(old) == "out_of_grace"


def test_a_store_gets_the_jwt(world: World):
    account, token = issued(world, secret_store_config=stored(world.file_store()))

    world.drain()

    assert world.file("ci/token") == token.reveal()
    assert world.places()[0].confirmed_generation == world.fresh(account).generation


def test_a_required_store_that_is_away_holds_the_old_jwt_and_its_exp_does_not_cut_it(
    world: World,
):
    fqn, store = world.store()
    account, old = issued(world, secret_store_config=stored(fqn))
    world.drain()
    store.always = Transient("away")
    world.clock.pass_(hours=1)
    world.rotate()

    world.clock.pass_(hours=2, minutes=9)

    assert world.fresh(account).generation == 2
    assert world.works(old)
    assert ends(old) > world.clock.now()


@pytest.mark.law(4)
def test_a_paused_account_is_turned_all_the_same_before_its_jwt_would_end(world: World):
    account, old = issued(world)
    account_life.pause_account(world.runtime, world.admin, account.id)
    world.clock.pass_(hours=1)
    at_the_due_time = world.rotate().turned
    world.clock.pass_(minutes=10)

    world.rotate()

    assert (at_the_due_time, world.fresh(account).generation) == (0, 2)
    assert world.works(current(world, account))
    assert world.works(old)
    turn_by = world.fresh(account).turn_by
    assert world.fresh(account).due_at == turn_by


@pytest.mark.law(4)
def test_a_longer_interval_does_not_defer_the_turn_of_a_jwt(world: World):
    account, old = issued(world)

    world.put(token_type="jwt", auto_rotate={**HOURLY, "interval": "30d"})
    world.clock.pass_(hours=1, minutes=10)
    turned = world.rotate().turned

    assert turned == 1
    assert ends(current(world, account)) > ends(old) + timedelta(days=29)


@pytest.mark.law(4)
def test_waiting_for_a_store_does_not_outlast_what_a_jwt_leaves(world: World):
    fqn, store = world.store()
    account, _ = issued(world, secret_store_config=stored(fqn))
    store.always = Transient("away")
    world.drain()
    world.clock.pass_(hours=1)
    waiting = world.rotate().waiting

    world.clock.pass_(minutes=10)
    turned = world.rotate().turned

    assert (waiting, turned) == (1, 1)
    assert world.works(current(world, account))


@pytest.mark.law(4)
def test_an_account_whose_jwt_ended_during_an_outage_gets_the_next_one(world: World):
    account, old = issued(world)
    world.clock.pass_(days=2)

    world.expire()
    works = world.works(old)
    world.rotate()

    assert works is False
    assert world.works(current(world, account))
    assert not world.told("account.expired")


def test_a_longer_grace_that_the_jwt_does_not_cover_turns_the_key_at_once(world: World):
    account, _ = issued(world)

    world.put(token_type="jwt", auto_rotate={**HOURLY, "grace": "5h", "interval": "6h"})

    assert world.rotate().turned == 1
    assert world.fresh(account).generation == 2


def test_the_type_of_the_next_token_is_the_manifests(world: World):
    account, _ = issued(world)

    world.put(auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()
    opaque = current(world, account)
    world.put(token_type="jwt", auto_rotate=HOURLY)
    world.clock.pass_(hours=1)
    world.rotate()

    assert opaque.reveal().startswith("tfy_vat_")
    assert claims(current(world, account))["generation"] == 3
    assert world.fresh(account).jwt_expires_at == ends(current(world, account))


def test_mapping_an_account_ends_its_jwt_and_turns_no_more_keys(world: World):
    account, token = issued(world)
    trust_unseen(world)

    world.put(identity_provider_mapping=[{"identity_provider": "github", "value": "1"}])
    world.clock.pass_(days=1)

    assert world.rotate().claimed == 0
    assert world.fresh(account).due_at is None
    assert not world.works(token)


def test_an_earlier_expiration_date_ends_a_jwt_before_its_exp(world: World):
    _, token = issued(world, auto_rotate={**HOURLY, "interval": "30d"})

    world.put(
        token_type="jwt",
        auto_rotate={**HOURLY, "interval": "30d"},
        expiration_date="2026-03-02",
    )
    world.clock.pass_(hours=15)

    assert not world.works(token)
    world.expire()
    assert listed(world) == {claims(token)["jti"]}


def test_a_forged_jwt_is_refused_before_the_database_is_asked(world: World):
    _, token = issued(world)
    header, body, _ = token.reveal().split(".")
    other = jwt.encode(claims(token), jwt_key(), algorithm="EdDSA", headers={"kid": kid_of(token)})

    forged = f"{header}.{body}.{other.rpartition('.')[2]}"

    assert world.refusal(Token(forged)) == "wrong_signature"
    assert world.refusal(Token(other)) == "wrong_signature"


def test_a_jwt_written_otherwise_with_the_same_signature_is_not_ours(world: World):
    _, token = issued(world)
    text = token.reveal()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same_bits = alphabet[alphabet.index(text[-1]) ^ 1]

    assert world.refusal(Token(text[:-1] + same_bits)) in {"unknown", "wrong_signature"}


def test_revoking_one_jwt_ends_it_at_once_and_lists_it_until_its_exp(world: World):
    account, token = issued(world)
    row = world.current(account)

    tokens.revoke_token(world.runtime, world.admin, account.id, row.id)

    assert world.refusal(token) == "revoked"
    assert listed(world) == {str(row.id)}
    world.clock.pass_(hours=5)
    assert listed(world) == set()


def test_a_predecessor_is_listed_from_the_end_of_its_grace(world: World):
    account, old = issued(world)
    world.clock.pass_(hours=1)
    world.rotate()
    during = listed(world)

    world.clock.pass_(minutes=10)

    assert during == set()
    assert listed(world) == {claims(old)["jti"]}
    assert claims(current(world, account))["jti"] not in listed(world)


def test_who_reads_on_from_a_number_misses_nothing_and_gets_nothing_twice(world: World):
    read: list[str] = []
    after = 0
    made = []
    for number in range(5):
        account, _ = issued(world, f"bot-{number}")
        made.append(str(world.current(account).id))
        tokens.revoke_all(world.runtime, world.admin, account.id)
        for one in revoked_jwts(world.runtime, after=after, limit=2):
            read.append(str(one.id))
            after = one.number
    read += [str(one.id) for one in revoked_jwts(world.runtime, after=after)]

    assert read == made


def test_opaque_tokens_are_not_listed(world: World):
    account, _ = world.create(auto_rotate=HOURLY)

    tokens.revoke_all(world.runtime, world.admin, account.id)

    assert listed(world) == set()
