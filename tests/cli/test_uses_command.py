from services.engine.tokens import rotate_account
from services.verify.use_counting import UseCounter
from tests.support.command import Keyturn
from tests.support.world import HOURLY, World


def test_an_account_that_nobody_uses_says_so(keyturn: Keyturn, world: World):
    world.create()

    assert keyturn.said("accounts", "uses", "ci-bot").split() == ["ci-bot:", "no", "use"]
    assert keyturn.json("accounts", "uses", "ci-bot")["count"] == 0


def test_who_uses_which_generation_is_shown(keyturn: Keyturn, world: World):
    account, _ = world.create(auto_rotate=HOURLY)
    old = world.current(account)
    rotate_account(world.runtime, world.admin, account.id)
    counter = UseCounter(world.runtime)
    counter.count(world.current(account).id, "10.0.0.1", "new/2", "verify")
    for _ in range(3):
        counter.count(old.id, "10.0.0.9", "[red]old[/red]/1", "gateway")
    counter.flush()
    facts = keyturn.json("accounts", "uses", "ci-bot")
    lines = keyturn.said("accounts", "uses", "ci-bot")
    at = facts["last_used_at"]

    assert facts["count"] == 4
    new, before = facts["generations"]
    assert (new["generation"], new["count"], new["since_successor"]["count"]) == (2, 1, 0)
    assert (before["generation"], before["count"]) == (1, 3)
    assert before["since_successor"]["callers"] == [
        {
            "address": "10.0.0.9",
            "user_agent": "[red]old[/red]/1",
            "surface": "gateway",
            "count": 3,
            "last_used_at": at,
        }
    ]
    assert lines.splitlines()[0] == f"ci-bot was used 4 times, last at {at}"
    assert "[red]old[/red]/1" in lines
