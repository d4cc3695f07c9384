from models import Installation
from services.operation.migrating import revisions
from tests.support.command import Keyturn
from tests.support.world import World

NEWEST = revisions()[-1]


def test_the_schema_is_made_once_and_then_is_up_to_date(bare: Keyturn):
    first = bare.said("migrate")
    second = bare.said("migrate")

    assert first == f"Migrated the schema from nothing to {NEWEST}.\n"
    assert second == f"The schema is up to date ({NEWEST}).\n"


def test_json_says_from_which_schema_to_which(bare: Keyturn):
    first = bare.json("migrate")
    second = bare.json("migrate")

    assert first == {"before": None, "after": NEWEST}
    assert second == {"before": NEWEST, "after": NEWEST}


def test_migrating_again_leaves_the_installation_as_it_is(keyturn: Keyturn, world: World):
    with world.runtime.database.writing() as session:
        session.get_one(Installation, 1).epoch = 7

    keyturn.said("migrate")

    with world.runtime.database.reading() as session:
        assert session.get_one(Installation, 1).epoch == 7


def test_a_command_that_needs_the_schema_names_the_one_that_makes_it(bare: Keyturn):
    assert "run `keyturn migrate`" in bare.refused("accounts", "list", code=5)
