"""A token that is reported as leaked ends, has a successor, or is told of, as its owner says."""

from typing import Any

import pytest
from keyturn_test_plugins import scripted

from core.errors import InvalidInput
from core.tokens import Token, TokenKind, mint
from models import AuditRow, PersonalAccessToken, TokenRow, TokenState, VirtualAccount
from notifiers.base import Notice
from notifiers.words import headline, next_step
from services.accounts import account_life
from services.engine import tokens
from services.identity.token_exchange import Exchanged, exchange_token
from services.notices.leaks import report_leak
from services.operation import tenants
from services.people import personal_tokens, user_life
from services.people.personal_tokens import Wanted
from services.verify.verification import Verified, verify
from tests.support.identity import trusted
from tests.support.jwts import issued, listed, spoil
from tests.support.persons import logged_in, person
from tests.support.telling import mail_of, tenant_tells
from tests.support.world import HOURLY, World, stored, told_by


@pytest.fixture
def chat(world: World) -> tuple[str, scripted.Store]:
    return world.channel()


def reported(world: World, token: Token) -> None:
    report_leak(world.runtime, token.reveal(), address="192.0.2.80", request_id="r-1")


def account_with(
    world: World, chat: tuple[str, scripted.Store], **manifest: Any
) -> tuple[VirtualAccount, Token]:
    given = {"auto_rotate": HOURLY, "notification_target": told_by(chat[0]), **manifest}
    return world.create(**given)


def told(world: World, chat: tuple[str, scripted.Store]) -> list[Notice]:
    """What people heard of leaks."""
    world.drain()
    return [notice for notice, _ in chat[1].notices if notice.type.value == "token.leaked"]


def audited(world: World) -> list[AuditRow]:
    return world.rows(AuditRow, AuditRow.action.like("%leaked"))


def test_by_itself_the_token_ends_at_once_and_has_a_successor_that_goes_to_the_stores(
    world: World, chat: tuple[str, scripted.Store]
):
    fqn, store = world.store()
    account, token = account_with(world, chat, secret_store_config=stored(fqn))
    world.drain()

    reported(world, token)

    (notice,) = told(world, chat)
    assert not world.works(token)
    assert world.refusal(token) == "revoked"
    assert world.fresh(account).generation == 2
    assert world.works(Token(store.held["ci/token"][1]))
    assert notice.severity.name == "CRITICAL"
    assert headline(notice) == (
        "ci-bot: its token of generation 1 was reported as leaked: it was revoked, "
        "generation 2 has taken its place"
    )
    assert notice.facts["by"] == "a leak report from 192.0.2.80"
    assert token.reveal() not in str(notice.facts)


def test_an_account_may_want_a_rotation_with_its_usual_grace(
    world: World, chat: tuple[str, scripted.Store]
):
    account, token = account_with(world, chat, on_leak="rotate")

    reported(world, token)

    (notice,) = told(world, chat)
    old, new = world.tokens(account)
    assert world.works(token)
    assert (old.state, new.state) == (TokenState.GRACE, TokenState.CURRENT)
    assert notice.facts["grace_until"] == "2026-03-02T09:10:00Z"
    assert "look who has used it" in next_step(notice)


def test_an_account_may_want_to_be_told_only(world: World, chat: tuple[str, scripted.Store]):
    account, token = account_with(world, chat, on_leak="tell")

    reported(world, token)

    (notice,) = told(world, chat)
    assert world.works(token)
    assert world.fresh(account).generation == 1
    assert notice.facts["done"] == "nothing was done, it still works"
    assert next_step(notice).startswith("Turn the key without a grace")


def test_the_tenant_says_it_for_accounts_that_do_not(
    world: World, chat: tuple[str, scripted.Store]
):
    tenants.set_limits(world.runtime, world.admin, {"on_leak": "tell"})
    _, token = account_with(world, chat)
    _, other = account_with(world, chat, name="other", on_leak="revoke")

    reported(world, token)
    reported(world, other)

    assert (world.works(token), world.works(other)) == (True, False)


def test_an_unknown_wish_is_refused_by_its_name(world: World):
    with pytest.raises(InvalidInput, match="on_leak: Input should be 'revoke', 'rotate' or 'tell'"):
        world.put(on_leak="forget")


@pytest.mark.parametrize("wanted", ["revoke", "rotate", "tell"])
def test_a_second_report_of_the_same_token_changes_nothing(
    world: World, chat: tuple[str, scripted.Store], wanted: str
):
    account, token = account_with(world, chat, on_leak=wanted)
    reported(world, token)
    generation = world.fresh(account).generation

    for _ in range(3):
        reported(world, token)

    assert world.fresh(account).generation == generation
    assert len(told(world, chat)) == len(audited(world)) == 1


def test_a_predecessor_ends_and_its_successor_stays(world: World, chat: tuple[str, scripted.Store]):
    account, first = account_with(world, chat)
    second = tokens.rotate_account(world.runtime, world.admin, account.id)
    third = tokens.rotate_account(world.runtime, world.admin, account.id)

    reported(world, second)

    (notice,) = told(world, chat)
    assert [world.works(token) for token in (first, second, third)] == [True, False, True]
    assert (notice.facts["generation"], notice.facts["done"]) == (2, "it was revoked")
    assert notice.facts["still_valid"] == ["generation 1"]


def test_a_predecessor_of_an_account_that_wants_rotations_lives_out_its_grace(
    world: World, chat: tuple[str, scripted.Store]
):
    account, first = account_with(world, chat, on_leak="rotate")
    tokens.rotate_account(world.runtime, world.admin, account.id)

    reported(world, first)

    assert world.works(first)
    assert world.fresh(account).generation == 2
    assert told(world, chat)[0].facts["done"].startswith("it has a successor already")


def test_a_jwt_ends_too_and_stands_in_the_list_for_offline_verifiers(
    world: World, chat: tuple[str, scripted.Store]
):
    account, token = issued(world, notification_target=told_by(chat[0]))
    (old,) = world.tokens(account)

    reported(world, token)

    assert not world.works(token)
    assert len(told(world, chat)) == 1
    assert listed(world) == {str(old.id)}


def test_a_jwt_that_was_changed_is_nobodys(world: World, chat: tuple[str, scripted.Store]):
    _, token = issued(world, notification_target=told_by(chat[0]))
    head, body, _ = token.reveal().split(".")

    report_leak(world.runtime, f"{head}.{body}.{'A' * 86}")

    assert world.works(token)
    assert told(world, chat) == []


def test_if_no_key_can_be_made_it_is_told_and_the_token_goes_on(
    world: World, chat: tuple[str, scripted.Store]
):
    _, token = issued(world, notification_target=told_by(chat[0]))
    spoil(world)

    reported(world, token)

    (notice,) = told(world, chat)
    assert world.works(token)
    assert notice.facts["cause"] == "tell"


def test_what_is_no_token_of_ours_changes_nothing(world: World):
    strange = [mint(kind).reveal() for kind in TokenKind if kind is not TokenKind.JWT]

    for text in ("", "x", "tfy_vat_short", "\0", "é" * 57, *strange):
        report_leak(world.runtime, text)

    assert audited(world) == world.told("token.leaked") == []


def test_what_works_no_more_changes_nothing(world: World, chat: tuple[str, scripted.Store]):
    account, token = account_with(world, chat)
    gone, lost = account_with(world, chat, name="gone")
    tokens.revoke_all(world.runtime, world.admin, account.id)
    account_life.delete_account(world.runtime, world.admin, gone.id)

    reported(world, token)
    reported(world, lost)

    assert told(world, chat) == audited(world) == []


def test_a_personal_token_ends_and_its_owner_hears_of_it_by_mail(
    world: World, chat: tuple[str, scripted.Store]
):
    tenant_tells(world, told_by(chat[0], to=["security"]))
    with mail_of(world) as mail:
        ann = person(world)
        token = Token(ann.token)

        reported(world, token)
        reported(world, token)
        (notice,) = told(world, chat)
        (letter,) = mail.messages

    assert world.refusal(token) == "revoked"
    assert letter.recipients == ["ann@example.com"]
    assert str(letter.message["Subject"]) == headline(notice)
    assert headline(notice).endswith("access token laptop was reported as leaked: it was revoked")
    assert ann.token not in letter.message.as_string()


def test_a_login_made_with_a_leaked_personal_token_ends_with_it(world: World):
    ann = person(world)
    (row,) = world.rows(PersonalAccessToken)

    reported(world, Token(ann.token))

    (after,) = world.rows(PersonalAccessToken)
    assert (row.revoked_at, after.revoked_at) == (None, world.clock.now())
    assert logged_in(world, ann)  # other logins stay


def test_a_login_that_leaked_ends_and_its_owner_hears_of_it(world: World):
    with mail_of(world) as mail:
        ann = person(world)
        session = logged_in(world, ann)

        reported(world, session)
        reported(world, session)
        world.drain()
        (letter,) = mail.messages

    assert world.refusal(session) == "unknown"
    assert isinstance(verify(world.runtime, ann.token), Verified)
    assert "a login session was reported as leaked: it was revoked" in str(
        letter.message["Subject"]
    )
    (row,) = audited(world)
    assert (row.action, row.subject_name) == ("session.leaked", "ann@example.com")


def test_a_token_that_was_given_in_exchange_ends_alone(
    world: World, chat: tuple[str, scripted.Store]
):
    with trusted(world) as identity:
        tell = told_by(chat[0])
        identity.map(notification_target=tell, on_leak="tell")
        first, second = (
            exchange_token(world.runtime, identity.issuer.issue(jti=one)) for one in "ab"
        )
        assert isinstance(first, Exchanged)
        assert isinstance(second, Exchanged)

        reported(world, first.token)
        reported(world, first.token)

        assert identity.whose(first.token.reveal()) == "revoked"
        assert identity.whose(second.token.reveal()) == "ci-bot"
    (notice,) = told(world, chat)
    assert headline(notice) == (
        "ci-bot: a short-lived token that it got in exchange was reported as leaked: it was revoked"
    )
    assert [row.action for row in audited(world)] == ["exchanged-token.leaked"]


def test_nobody_is_written_to_who_is_away_but_their_token_ends(world: World):
    ann = person(world)
    user_life.set_active(world.runtime, world.admin, ann.email, active=False)

    reported(world, Token(ann.token))

    (row,) = world.rows(PersonalAccessToken)
    assert row.revoked_at is not None
    assert world.deliveries() == []


def test_the_audit_log_says_where_a_report_came_from_and_never_what_it_was(
    world: World, chat: tuple[str, scripted.Store]
):
    _, token = account_with(world, chat)
    wanted = Wanted(name="laptop")
    personal = personal_tokens.create_for(world.runtime, world.admin, "admin@example.com", wanted)

    reported(world, token)
    reported(world, personal)

    rows = audited(world)
    assert [row.action for row in rows] == ["token.leaked", "personal-access-token.leaked"]
    assert rows[0].actor == {
        "kind": "report",
        "name": "a leak report",
        "address": "192.0.2.80",
        "request_id": "r-1",
    }
    kept = [one for model in (AuditRow, TokenRow, PersonalAccessToken) for one in world.rows(model)]
    written = "".join(str(vars(one)) for one in kept)
    for secret in (token.reveal(), personal.reveal()):
        assert secret not in written
        assert secret[8:40] not in written
