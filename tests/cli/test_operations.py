"""plugins, keys, lanes, clock and recover."""

import pytest

from core.sealing import MasterKey
from models import Installation, LaneState, WrappedKey
from services.operation.pulse import Pulse
from tests.support.command import Keyturn
from tests.support.world import HOURLY, World


def test_every_installed_plugin_is_listed_with_what_it_is(keyturn: Keyturn):
    listed = keyturn.json("plugins")
    said = keyturn.said("plugins")

    assert {"type": "integration/notification-channel/email", "title": "E-mail (SMTP)"} in listed
    assert {plugin["type"] for plugin in listed} >= {
        "integration/secret-store/aws/secrets-manager",
        "integration/secret-store/custom/file",
        "integration/secret-store/hashicorp/vault",
        "integration/notification-channel/console",
        "integration/notification-channel/slack-bot",
        "integration/notification-channel/slack-webhook",
    }
    assert all(plugin["type"] in said for plugin in listed)


def test_plugins_are_listed_without_any_configuration(
    keyturn: Keyturn, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("KEYTURN_DATABASE_URL", "nonsense")

    assert "custom/file" in keyturn.said("plugins")


def test_every_new_master_key_is_another_one(keyturn: Keyturn):
    first, second = (keyturn.said("keys", "new") for _ in range(2))

    assert first != second
    assert MasterKey.parse(first).id != MasterKey.parse(second).id


def test_turning_the_master_key_wraps_every_data_key_with_the_first_one(
    keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch
):
    world.create("ci-bot")
    old, new = world.runtime.settings.master_keys.get_secret_value(), MasterKey.generate()
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", f"{new},{old}")

    turned = keyturn.json("keys", "rotate")
    again = keyturn.said("keys", "rotate")
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", new)

    name = MasterKey.parse(new).id
    assert turned == {"rewrapped": 1, "master_key": name}
    assert again == f"0 data keys are now wrapped with master key {name}.\n"
    assert keyturn.said("accounts", "token", "ci-bot").startswith("tfy_vat_")


def test_the_master_key_is_not_turned_while_a_process_runs_without_the_new_one(
    keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch
):
    Pulse(world.runtime, "worker").beat()
    old, new = world.runtime.settings.master_keys.get_secret_value(), MasterKey.generate()
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", f"{new},{old}")

    said = keyturn.refused("keys", "rotate", code=1)

    assert f"Still running without master key {MasterKey.parse(new).id}: worker on" in said
    with world.runtime.database.reading() as session:
        assert session.query(WrappedKey).one().master_key_id == MasterKey.parse(old).id


def test_lanes_are_listed_with_their_state_and_why(keyturn: Keyturn, world: World):
    fqn, _ = world.store()
    lane = world.lane(fqn)
    opened = keyturn.json("lanes", "list")
    keyturn.said("lanes", "pause", str(lane.id))

    paused = keyturn.json("lanes", "list")

    row = {"id": str(lane.id), "integration": fqn, "address": "", "failures": 0}
    assert opened == [row | {"state": "open", "error": None}]
    assert paused == [row | {"state": "paused", "error": paused[0]["error"]}]
    assert paused[0]["error"].startswith("paused by operator")
    assert f"{lane.id}  {fqn} " in keyturn.said("lanes", "list")


def test_a_lane_is_paused_and_resumed_and_a_second_call_changes_nothing(
    keyturn: Keyturn, world: World
):
    fqn, _ = world.store()
    lane = str(world.lane(fqn).id)

    paused = [keyturn.said("lanes", "pause", lane) for _ in range(2)]
    while_paused = world.lane(fqn).state
    resumed = [keyturn.said("lanes", "resume", lane) for _ in range(2)]

    assert paused == ["The lane is paused.\n"] * 2
    assert while_paused is LaneState.PAUSED
    assert resumed == ["The lane sends again.\n"] * 2
    assert world.lane(fqn).state is LaneState.OPEN


@pytest.mark.parametrize("act", ["pause", "resume"])
@pytest.mark.parametrize("lane", ["nonsense", "01a209bd-490d-7a71-aa18-db32aee1cd43"])
def test_a_lane_that_is_not_there_is_not_found(keyturn: Keyturn, act: str, lane: str):
    assert keyturn.refused("lanes", act, lane, code=3) == f"error There is no lane '{lane}' here.\n"


def test_the_clock_is_trusted_again_on_an_operators_word(keyturn: Keyturn, world: World):
    with world.runtime.database.writing() as session:
        session.get_one(Installation, 1).clock_distrusted_until = world.runtime.now()

    said = keyturn.said("clock", "trust")

    assert said == "The clock is trusted again.\n"
    with world.runtime.database.reading() as session:
        assert session.get_one(Installation, 1).clock_distrusted_until is None


def test_recovering_turns_every_key_in_a_new_epoch(keyturn: Keyturn, world: World):
    for name in ("ci-bot", "web-bot"):
        world.create(name, auto_rotate=HOURLY)

    told = keyturn.json("recover", "--yes")
    said = keyturn.said("recover", "--yes")

    assert told == {"epoch": 2, "turned": 2, "enter_again": []}
    assert said == "2 keys turned; this is epoch 3 of the installation.\n"
    assert [account["generation"] for account in keyturn.json("accounts", "list")] == [3, 3]


def test_recovering_asks_first_and_without_a_yes_turns_nothing(keyturn: Keyturn, world: World):
    account, _ = world.create("ci-bot")

    ended = keyturn("recover", answers="n\n")

    assert ended.code == 1
    assert "Turn the keys of all 1 accounts now?" in ended.err
    assert world.fresh(account).generation == 1


def test_after_a_lost_master_key_recovering_names_what_is_to_be_applied_again(
    keyturn: Keyturn, world: World, monkeypatch: pytest.MonkeyPatch
):
    fqn, _ = world.store()
    world.create("ci-bot")
    monkeypatch.setenv("KEYTURN_MASTER_KEYS", MasterKey.generate())

    told = keyturn.json("recover", "--lost-key", "--yes")

    assert told == {"epoch": 2, "turned": 1, "enter_again": [fqn]}
    assert keyturn.said("accounts", "token", "ci-bot").startswith("tfy_vat_")
