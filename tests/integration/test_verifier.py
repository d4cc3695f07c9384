"""A verifier answers from memory, and hears of what makes its memory wrong."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from core.errors import Unready
from core.ids import new_id
from core.tokens import Token, TokenKind, mint
from models import Change, User
from services.accounts import account_life
from services.engine import tokens
from services.people import personal_tokens, sessions, teams, user_life
from services.verify.verification import Verified, actor_of, verify
from services.verify.verifier import Verifier
from tests.support.persons import logged_in, person
from tests.support.postgres import Postgres
from tests.support.verifiers import Asked, asking, queries
from tests.support.world import HOURLY, World, new_world


@pytest.fixture
def asked(world: World) -> Iterator[Asked]:
    with asking(world) as made:
        yield made


def test_a_token_is_looked_up_once_and_then_remembered(world: World, asked: Asked):
    _, token = world.create()

    with queries(world) as said:
        answers = [asked.says(token) for _ in range(5)]

    assert answers == ["good"] * 5
    assert len(said) == 1


def test_a_revocation_is_seen_by_another_process_with_its_next_look(world: World, asked: Asked):
    account, token = world.create()
    asked.says(token)

    tokens.revoke_all(world.runtime, world.admin, account.id)
    before = asked.says(token)
    asked.hear()

    assert before == "good"
    assert asked.says(token) == "revoked"


def test_what_was_not_named_stays_remembered(world: World, asked: Asked):
    account, token = world.create()
    _, other = world.create("other-bot")
    asked.says(token)
    asked.says(other)

    tokens.revoke_all(world.runtime, world.admin, account.id)
    asked.hear()

    assert not asked.remembers(token)
    assert asked.remembers(other)


def test_a_regenerated_token_without_a_grace_is_seen(world: World, asked: Asked):
    account, old = world.create()
    asked.says(old)

    tokens.regenerate_token(world.runtime, world.admin, account.id, grace=timedelta(0))
    asked.hear()

    assert asked.says(old) == "revoked"


def test_a_grace_that_is_shorter_than_what_is_kept_ends_in_time(world: World, asked: Asked):
    account, old = world.create(auto_rotate={"interval": "1h", "grace": "2s"})
    asked.says(old)

    tokens.rotate_account(world.runtime, world.admin, account.id)
    asked.hear()
    during = asked.says(old)
    world.clock.pass_(seconds=2)

    assert during == "good"
    assert asked.says(old) == "out_of_grace"


def test_the_end_of_a_grace_is_seen_without_hearing_anything(world: World, asked: Asked):
    account, old = world.create(auto_rotate=HOURLY)
    tokens.rotate_account(world.runtime, world.admin, account.id)
    world.clock.pass_(minutes=9, seconds=58)
    asked.hear()
    during = asked.says(old)

    world.clock.pass_(seconds=2)

    assert during == "good"
    assert not asked.remembers(old)
    assert asked.says(old) == "out_of_grace"


def test_a_deactivated_person_is_refused_and_an_activated_one_is_not(world: World, asked: Asked):
    ann = person(world)
    by_login = logged_in(world, ann)
    before = [asked.says(ann.token), asked.says(by_login)]

    user_life.set_active(world.runtime, world.admin, ann.email, active=False)
    asked.hear()
    inactive = [asked.says(ann.token), asked.says(by_login)]
    user_life.set_active(world.runtime, world.admin, ann.email, active=True)
    asked.hear()

    assert (before, inactive) == (["good"] * 2, ["inactive"] * 2)
    assert [asked.says(ann.token), asked.says(by_login)] == ["good"] * 2


def test_a_login_ends_with_the_token_that_it_was_made_with(world: World, asked: Asked):
    ann = person(world)
    with world.runtime.database.writing() as session:
        user = session.get_one(User, (ann.id, world.tenant_id))
        length = timedelta(hours=1)
        login = sessions.open_session(session, user, world.clock.now(), length, ann.token_id)
    asked.says(login)

    personal_tokens.revoke(world.runtime, world.admin, str(ann.token_id))
    asked.hear()

    assert asked.says(login) == "revoked"


def test_a_logout_is_seen(world: World, asked: Asked):
    login = logged_in(world, person(world))
    asked.says(login)
    verified = verify(world.runtime, login.reveal())
    assert isinstance(verified, Verified)

    sessions.end_session(world.runtime, actor_of(world.runtime, verified))
    asked.hear()

    assert asked.says(login) == "unknown"


def test_a_deleted_accounts_token_is_seen(world: World, asked: Asked):
    account, token = world.create()
    asked.says(token)

    account_life.delete_account(world.runtime, world.admin, account.id)
    asked.hear()

    assert asked.says(token) == "revoked"


def test_a_verifier_that_could_not_look_for_its_ttl_forgets_everything(world: World, asked: Asked):
    _, token = world.create()
    world.clock.pass_(seconds=4)
    asked.says(token)
    before = asked.remembers(token)

    world.clock.pass_(seconds=1)

    assert before
    assert not asked.remembers(token)
    assert asked.says(token) == "good"
    assert not asked.remembers(token)


def test_after_such_a_gap_nothing_from_before_is_believed(world: World, asked: Asked):
    account, token = world.create()
    world.clock.pass_(seconds=4)
    asked.says(token)
    tokens.revoke_all(world.runtime, world.admin, account.id)
    world.clock.pass_(seconds=1)

    asked.hear()

    assert asked.says(token) == "revoked"


def test_an_answer_is_kept_for_its_ttl_at_most(world: World, asked: Asked):
    _, token = world.create()
    asked.says(token)
    world.clock.pass_(seconds=4)
    asked.hear()
    before = asked.remembers(token)

    world.clock.pass_(seconds=1)

    assert before
    assert not asked.remembers(token)


def test_a_change_during_a_look_up_is_not_lost(world: World, asked: Asked):
    account, token = world.create()
    engine = world.runtime.verifying.engine
    interrupted: list[str] = []

    def interrupt(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if interrupted or not statement.startswith("SELECT"):
            return
        interrupted.append(statement)
        tokens.revoke_all(world.runtime, world.admin, account.id)
        asked.hear()

    event.listen(engine, "after_cursor_execute", interrupt)
    first = asked.says(token)

    assert first == "good"
    assert asked.says(token) == "revoked"


def test_a_flood_of_unknown_tokens_costs_a_bounded_number_of_queries(world: World):
    flood = [mint(TokenKind.VIRTUAL_ACCOUNT) for _ in range(1_200)]
    verifier = Verifier(world.runtime)
    verifier.listener.poll()

    async def all_at_once() -> list[Any]:
        asked = (verifier.find(token) for token in flood)
        return await asyncio.gather(*asked, return_exceptions=True)

    with queries(world) as said:
        found = asyncio.run(all_at_once())

    refused = [one for one in found if isinstance(one, Unready)]
    assert (len(refused), len(said)) == (700, 1)


def test_the_same_unknown_token_is_looked_up_once_in_a_while(world: World, asked: Asked):
    token = mint(TokenKind.PERSONAL)

    with queries(world) as said:
        answers = [asked.says(token) for _ in range(20)]
        world.clock.pass_(seconds=2)
        asked.says(token)

    assert answers == ["unknown"] * 20
    assert len(said) == 2


def test_the_memory_is_bounded_however_many_tokens_there_are(
    tmp_path: Path,
):
    url = f"sqlite:///{tmp_path / 'keyturn.db'}"
    with new_world(url, tmp_path, verify_capacity=100) as world, asking(world) as asked:
        made = [Token(person(world, token_name=f"t{n}").token) for n in range(130)]
        unknown = [mint(TokenKind.PERSONAL) for _ in range(30)]

        answers = {asked.says(token) for token in (*made, *unknown)}

        assert answers == {"good", "unknown"}
        assert (len(asked.verifier.good), len(asked.verifier.bad)) == (100, 10)
        assert asked.remembers(made[-1])


def test_a_commit_of_this_process_is_heard_at_once(world: World):
    account, token = world.create()
    with asking(world) as asked, asked.verifier.listener.listening():
        asked.says(token)

        tokens.revoke_all(world.runtime, world.admin, account.id)

        assert asked.says(token) == "revoked"


def test_a_change_that_is_rolled_back_is_heard_by_nobody(world: World):
    ann = person(world)
    with asking(world) as asked, asked.verifier.listener.listening():
        asked.says(ann.token)

        given = {"name": "ops", "members": [ann.email]}
        teams.put_team(world.runtime, world.admin, given, dry_run=True)
        asked.hear()

        assert asked.remembers(ann.token)


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_a_change_that_commits_late_is_not_missed(world: World, asked: Asked):
    first, second = person(world), person(world, "bob@example.com")
    asked.says(first.token)
    asked.says(second.token)
    engine = world.runtime.database.engine

    def change(subject: Any) -> Any:
        row = {"tenant_id": new_id(), "subject": subject, "at": world.clock.now()}
        return insert(Change).values(row)

    with engine.connect() as slow:
        slow.execute(change(first.id))
        with engine.begin() as quick:
            quick.execute(change(second.id))
        asked.hear()
        while_open = [asked.remembers(one.token) for one in (first, second)]
        slow.commit()
    asked.hear()

    assert while_open == [True, False]
    assert not asked.remembers(first.token)


@pytest.mark.parametrize("world", ["postgresql"], indirect=True)
def test_what_was_heard_is_not_heard_again_while_a_transaction_stays_open(
    world: World, asked: Asked
):
    account, _ = world.create()
    _, token = world.create("other-bot")
    engine = world.runtime.database.engine

    with engine.connect() as slow:
        slow.execute(
            insert(Change).values(tenant_id=new_id(), subject=new_id(), at=world.clock.now())
        )
        user_life.change_roles(world.runtime, world.admin, "admin@example.com", ["tenant-admin"])
        tokens.revoke_all(world.runtime, world.admin, account.id)
        asked.hear()
        asked.says(token)
        heard = asked.verifier.listener._hearing.number
        asked.hear()

        assert asked.verifier.listener._hearing.number == heard


def test_while_the_database_is_away_nothing_is_decided(tmp_path: Path):
    with (
        Postgres(own=True) as server,
        new_world(server.create_database("keyturn"), tmp_path) as world,
        asking(world) as asked,
    ):
        _, known = world.create()
        _, other = world.create("other-bot")
        asked.says(known)
        server.stop()

        from_memory = asked.says(known)
        with pytest.raises(Unready):
            asked.says(other)
        world.clock.pass_(seconds=5)
        with pytest.raises(Unready):
            asked.says(known)
        server.start()
        asked.hear()

        assert from_memory == "good"
        assert asked.says(other) == "good"
