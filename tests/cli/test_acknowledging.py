import json

from tests.support.command import Keyturn
from tests.support.world import HOURLY, World


def test_a_rotation_is_acknowledged_by_name(keyturn: Keyturn, world: World):
    account, _ = world.create("ci-bot", auto_rotate=HOURLY)
    before = keyturn.said("accounts", "acknowledge", "ci-bot")
    keyturn.said("accounts", "rotate", "ci-bot")

    said = keyturn.said("accounts", "acknowledge", "ci-bot")
    told = json.loads(keyturn.said("accounts", "acknowledge", "ci-bot", "--json"))

    assert before == "ci-bot has no old token that still works\n"
    until = f"{world.tokens(account)[0].valid_until:%Y-%m-%d %H:%M:%SZ}"
    assert said == f"ci-bot: acknowledged; the old token works until {until}\n"
    assert told == {
        "name": "ci-bot",
        "generations": [1],
        "old_token_works_until": until,
        "still_used": False,
        "waits_for_stores": False,
    }
    assert world.tokens(account)[0].acknowledged_at is not None
