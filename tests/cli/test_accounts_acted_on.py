from datetime import timedelta

import pytest

from models import AccountState, AuditRow, TokenRow, VirtualAccount
from services.engine.tokens import rotate_account
from tests.support.command import Keyturn
from tests.support.manual_clock import ManualClock
from tests.support.world import HOURLY, World, stored

ASKING = [
    (
        ["accounts", "revoke", "ci-bot"],
        "End EVERY token of ci-bot now? Its callers get 401 at once.",
    ),
    (
        ["accounts", "revoke", "ci-bot", "--generation", "1"],
        "End generation 1 of ci-bot now? Its callers get 401 at once.",
    ),
    (["accounts", "delete", "ci-bot"], "Delete ci-bot? Its 1 live tokens end now."),
]


def test_rotating_keeps_the_old_token_for_the_accounts_own_grace(keyturn: Keyturn, world: World):
    account, old = world.create("ci-bot", auto_rotate=HOURLY)

    said = keyturn.said("accounts", "rotate", "ci-bot")

    first, second = world.tokens(account)
    assert said == "ci-bot rotated to generation 2\n"
    assert (first.grace_until - second.created_at).total_seconds() == 600
    assert world.works(old)


def test_rotating_with_a_grace_of_nothing_ends_the_old_token_at_once(
    keyturn: Keyturn, world: World
):
    _, old = world.create("ci-bot", auto_rotate=HOURLY)

    keyturn.said("accounts", "rotate", "ci-bot", "--grace", "0s")

    assert not world.works(old)


def test_the_new_token_is_shown_when_asked_for(keyturn: Keyturn, world: World):
    world.create("ci-bot")

    said = keyturn.said("accounts", "rotate", "ci-bot", "--show-token").splitlines()
    made = keyturn.json("accounts", "rotate", "ci-bot", "--show-token")
    kept = keyturn.json("accounts", "rotate", "ci-bot")

    assert said[0] == "ci-bot rotated to generation 2"
    assert said[1].startswith("tfy_vat_")
    assert (made["generation"], made["token"][:8]) == (3, "tfy_vat_")
    assert (kept["generation"], "token" in kept) == (4, False)


@pytest.mark.parametrize(
    ("grace", "said"),
    [
        ("soon", "--grace: give a duration like 90s"),
        ("5000d", "--grace: give 0 or more, at most ten years"),
    ],
)
def test_a_bad_grace_names_its_option_and_turns_nothing(
    keyturn: Keyturn, world: World, grace: str, said: str
):
    account, _ = world.create("ci-bot")

    refused = keyturn.refused("accounts", "rotate", "ci-bot", "--grace", grace, code=1)

    assert refused.startswith(f"error {said}")
    assert world.fresh(account).generation == 1


def test_revoking_all_suspends_the_account_until_a_regenerate(keyturn: Keyturn, world: World):
    account, token = world.create("ci-bot", auto_rotate=HOURLY)
    keyturn.said("accounts", "rotate", "ci-bot")

    said = keyturn.said("accounts", "revoke", "ci-bot", "--yes")
    refused = keyturn.refused("accounts", "rotate", "ci-bot", code=1)
    suspended = world.fresh(account).state
    keyturn.said("accounts", "rotate", "ci-bot", "--grace", "0s")

    assert said == "2 tokens ended\n"
    assert "`keyturn accounts rotate ci-bot --grace 0s`" in refused
    assert suspended is AccountState.SUSPENDED
    assert world.fresh(account).state is AccountState.ACTIVE
    assert not world.works(token)


def test_revoking_one_generation_leaves_the_others(keyturn: Keyturn, world: World):
    _, token = world.create("ci-bot", auto_rotate=HOURLY)
    newer = keyturn.json("accounts", "rotate", "ci-bot", "--show-token")["token"]

    said = keyturn.json("accounts", "revoke", "ci-bot", "--generation", "1", "--yes")

    assert said == {"name": "ci-bot", "ended": 1}
    assert not world.works(token)
    assert keyturn.said("accounts", "token", "ci-bot") == f"{newer}\n"


@pytest.mark.parametrize("generation", ["0", "1", "7"])
def test_a_generation_that_does_not_work_is_refused_before_anybody_is_asked(
    keyturn: Keyturn, world: World, generation: str
):
    world.runtime.clock = ManualClock(world.runtime.now() - timedelta(hours=2))
    account, _ = world.create("ci-bot", auto_rotate=HOURLY)
    rotate_account(world.runtime, world.admin, account.id)

    refused = keyturn.refused("accounts", "revoke", "ci-bot", "--generation", generation, code=1)

    assert refused == f"error --generation: ci-bot has no live generation {generation}\n"


def test_a_paused_account_waits_until_it_is_resumed(keyturn: Keyturn, world: World):
    account, _ = world.create("ci-bot", auto_rotate=HOURLY)

    paused = [keyturn.said("accounts", "pause", "ci-bot") for _ in range(2)]
    while_paused = world.fresh(account).due_at
    resumed = [keyturn.said("accounts", "resume", "ci-bot") for _ in range(2)]

    assert paused == ["ci-bot is paused\n"] * 2
    assert while_paused is None
    assert resumed == ["ci-bot rotates on schedule again\n"] * 2
    assert world.fresh(account).due_at == account.next_rotation_at
    assert [row.action for row in world.rows(AuditRow)][-2:] == [
        "virtual-account.paused",
        "virtual-account.resumed",
    ]


@pytest.mark.parametrize(("words", "kept"), [([], False), (["--keep-copies"], True)])
def test_deleting_takes_the_copies_along_unless_they_are_kept(
    keyturn: Keyturn, world: World, words: list[str], kept: bool
):
    fqn, store = world.store()
    _, token = world.create("ci-bot", secret_store_config=stored(fqn))
    world.drain()

    said = keyturn.json("accounts", "delete", "ci-bot", "--yes", *words)
    world.drain()

    assert said == {"name": "ci-bot", "deleted": True}
    assert ("ci/token" in store.held) is kept
    assert not world.works(token)
    assert "ci-bot" in keyturn.refused("accounts", "show", "ci-bot", code=3)


@pytest.mark.parametrize(("words", "question"), ASKING)
@pytest.mark.parametrize("answers", ["n\n", "\n", ""], ids=["no", "enter", "nobody there"])
def test_without_a_yes_nothing_is_changed(
    keyturn: Keyturn, world: World, words: list[str], question: str, answers: str
):
    account, token = world.create("ci-bot")

    ended = keyturn(*words, answers=answers)

    assert ended.code == 1
    assert question in ended.err
    assert world.works(token)
    assert world.fresh(account).state is AccountState.ACTIVE
    assert len(world.rows(TokenRow)) == 1


@pytest.mark.parametrize(("words", "question"), ASKING)
def test_a_typed_yes_is_as_good_as_the_option(
    keyturn: Keyturn, world: World, words: list[str], question: str
):
    _, token = world.create("ci-bot")

    ended = keyturn(*words, answers="y\n")

    assert ended.code == 0
    assert question in ended.err
    assert not world.works(token)


@pytest.mark.parametrize("act", ["show", "token", "rotate", "revoke", "pause", "resume", "delete"])
def test_an_account_that_is_not_there_is_not_found(keyturn: Keyturn, world: World, act: str):
    refused = keyturn.refused("accounts", act, "ci-bot", code=3)

    assert refused == "error There is no virtual account 'ci-bot' here.\n"
    assert world.rows(VirtualAccount) == []
