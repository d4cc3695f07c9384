"""keyturn deliveries list, show and roll-forward."""

from core.errors import PlaceRefused
from models import DeliveryState
from tests.support.command import Keyturn
from tests.support.world import World, stored


def test_a_failed_delivery_is_found_looked_into_and_rolled_forward(keyturn: Keyturn, world: World):
    fqn, store = world.store()
    world.create(secret_store_config=stored(fqn))
    store.fail(PlaceRefused("permission denied"))
    world.drain()
    world.create("other-bot", secret_store_config=stored(fqn, "other/token"))

    (failed,) = keyturn.json("deliveries", "list", "--failed")
    (waiting,) = keyturn.json("deliveries", "list", "--waiting")
    shown = keyturn.json("deliveries", "show", failed["id"])
    said = keyturn.said("deliveries", "show", failed["id"])
    assert "on its way again" in keyturn.said("deliveries", "roll-forward", failed["id"])
    world.drain()

    assert (failed["account"], failed["to"]) == ("ci-bot", "vault ci/token")
    assert waiting["account"] == "other-bot"
    assert [one["error"] for one in shown["failedAttempts"]] == ["permission denied"]
    assert "place refused" in said
    states = [row.state for row in world.deliveries()]
    assert states.count(DeliveryState.DONE) == 2
    assert len(keyturn.json("deliveries", "list", "--account", "ci-bot")) == 2


def test_what_got_through_is_not_rolled_forward(keyturn: Keyturn, world: World):
    world.create(secret_store_config=stored(world.store()[0]))
    world.drain()
    (done,) = keyturn.json("deliveries", "list")

    said = keyturn.refused("deliveries", "roll-forward", done["id"], code=1)

    assert "needs nothing" in said
