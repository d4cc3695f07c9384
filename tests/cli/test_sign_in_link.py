from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import InvalidInput
from core.tokens import TokenKind, recognise
from models import AuditRow
from services.people import invitations, user_life
from tests.support.command import Keyturn
from tests.support.persons import person
from tests.support.world import World


def token_of(link: str) -> str:
    return parse_qs(urlsplit(link).query)["token"][0]


def test_the_only_admin_gets_a_link_to_the_consoles_page(keyturn: Keyturn, world: World):
    link = keyturn.said("admin", "sign-in-link").strip()

    assert link.startswith("http://127.0.0.1:8400/welcome?token=tfy_inv_")
    assert recognise(token_of(link)).kind is TokenKind.INVITATION
    done = invitations.accept(world.runtime, token_of(link))
    assert done.view.user.email == "admin@example.com"


def test_it_is_said_where_the_console_is_if_it_is_elsewhere(keyturn: Keyturn):
    link = keyturn.said("admin", "sign-in-link", "--url", "https://keys.example.com/")

    assert link.startswith("https://keys.example.com/welcome?token=")


def test_where_there_are_several_admins_it_is_said_which(keyturn: Keyturn, world: World):
    person(world, "ann@example.com")
    user_life.change_roles(world.runtime, world.admin, "ann@example.com", ["tenant-admin"])

    said = keyturn.refused("admin", "sign-in-link", code=1)
    link = keyturn.said("admin", "sign-in-link", "--email", "ann@example.com")

    assert "--email: say who signs in: admin@example.com, ann@example.com" in said
    done = invitations.accept(world.runtime, token_of(link.strip()))
    assert done.view.user.email == "ann@example.com"


def test_a_newer_link_takes_an_older_ones_place(keyturn: Keyturn, world: World):
    older = keyturn.said("admin", "sign-in-link").strip()
    newer = keyturn.said("admin", "sign-in-link").strip()

    assert invitations.look(world.runtime, token_of(newer)).email == "admin@example.com"
    with pytest.raises(InvalidInput):
        invitations.look(world.runtime, token_of(older))


def test_somebody_who_is_not_active_gets_none(keyturn: Keyturn, world: World):
    person(world, "ann@example.com")
    user_life.set_active(world.runtime, world.admin, "ann@example.com", active=False)

    said = keyturn.refused("admin", "sign-in-link", "--email", "ann@example.com", code=1)

    assert "ann@example.com is not active" in said


@pytest.mark.parametrize("url", ["keys.example.com", "ftp://keys.example.com", "https://a b"])
def test_what_is_no_address_is_refused_under_the_options_name(keyturn: Keyturn, url: str):
    assert keyturn.refused("admin", "sign-in-link", "--url", url, code=1).startswith(
        "error --url: "
    )


def test_the_audit_log_says_who_made_it_and_holds_no_token(keyturn: Keyturn, world: World):
    link = keyturn.said("admin", "sign-in-link").strip()
    invitations.accept(world.runtime, token_of(link))
    keyturn.said("admin", "sign-in-link")

    rows = [row for row in world.rows(AuditRow) if row.subject_name == "admin@example.com"]
    assert [row.action for row in rows] == [
        "user.sign-in-link-made",
        "user.invitation-accepted",
        "user.sign-in-link-made",
    ]
    assert rows[0].actor["kind"] == "operator"
    assert "tfy_inv" not in str([(row.actor, row.detail) for row in rows])
