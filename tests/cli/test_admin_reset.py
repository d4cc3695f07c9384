"""`keyturn admin reset`: the way back in, from the machine itself."""

import stat
from pathlib import Path

import pytest

from core.tokens import Token
from models import AuditRow, GrantRow, User, VirtualAccount
from services.accounts import account_life
from services.engine import tokens
from services.people import user_life
from services.verify.verification import Verified, actor_of, verify
from tests.support.command import Keyturn
from tests.support.identity import trust_unseen
from tests.support.world import World

LOCKED_OUT = ["nothing", "revoked", "deleted", "expired", "powerless", "mapped"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "admin-token"


def lock_out(keyturn: Keyturn, world: World, how: str, tmp_path: Path) -> None:
    """The admin's account, if any, cannot act any more."""
    if how == "nothing":
        return
    keyturn.said("admin", "bootstrap", "--out", str(tmp_path / "old"), "--tenant", "acme")
    (account,) = world.rows(VirtualAccount)
    if how == "revoked":
        tokens.revoke_all(world.runtime, world.admin, account.id)
    elif how == "deleted":
        account_life.delete_account(world.runtime, world.admin, account.id)
    elif how == "expired":
        world.put("keyturn-admin", expiration_date="2020-01-01")
    elif how == "mapped":
        trust_unseen(world)
        mapping = [{"identity_provider": "github", "value": "repo:acme/app"}]
        world.put("keyturn-admin", identity_provider_mapping=mapping)
    else:
        reader = {"resource_fqn": "acme", "resource_type": "account", "role_id": "account-viewer"}
        world.put("keyturn-admin", permissions=[reader])


def is_admin(world: World, token: Token) -> bool:
    verified = verify(world.runtime, token.reveal())
    return isinstance(verified, Verified) and actor_of(world.runtime, verified).permits.is_admin


@pytest.mark.parametrize("how", LOCKED_OUT)
def test_whatever_happened_there_is_an_admin_again(
    keyturn: Keyturn, world: World, file: Path, tmp_path: Path, how: str
):
    lock_out(keyturn, world, how, tmp_path)

    said = keyturn.said("admin", "reset", "--email", "Ann@example.com", "--out", str(file))

    token = Token(file.read_text().strip())
    assert is_admin(world, token)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert token.reveal() not in said
    assert "ann@example.com is an active tenant-admin." in said
    assert keyturn.said("accounts", "token", "keyturn-admin").strip() == token.reveal()


def test_the_old_token_ends_at_once(keyturn: Keyturn, world: World, file: Path):
    keyturn.said("admin", "bootstrap", "--out", str(file), "--tenant", "acme")
    old = Token(file.read_text().strip())

    keyturn.said("admin", "reset", "--email", "ann@example.com", "--out", str(file))

    assert not world.works(old)


def test_a_person_who_was_deactivated_is_an_active_admin(
    keyturn: Keyturn, world: World, file: Path
):
    keyturn.said("admin", "reset", "--email", "ann@example.com", "--out", str(file))
    admin = "admin@example.com"
    user_life.change_roles(world.runtime, world.admin, admin, ["tenant-member"])
    user_life.set_active(world.runtime, world.admin, admin, active=False)

    keyturn.said("admin", "reset", "--email", "ADMIN@example.com", "--out", str(file))

    (user,) = world.rows(User, User.email == admin)
    roles = [row.role for row in world.rows(GrantRow, GrantRow.subject_id == user.id)]
    assert (user.active, roles) == (True, ["tenant-admin"])


def test_it_is_in_the_audit_log_without_the_token(keyturn: Keyturn, world: World, file: Path):
    keyturn.said("admin", "reset", "--email", "ann@example.com", "--out", str(file))

    (row,) = [row for row in world.rows(AuditRow) if row.action == "admin.reset"]
    assert (row.subject_name, row.detail) == (
        "ann@example.com",
        {"virtual_account": "keyturn-admin"},
    )
    assert file.read_text().strip() not in str([vars(row) for row in world.rows(AuditRow)])


def test_what_cannot_be_done_changes_nothing(keyturn: Keyturn, world: World, tmp_path: Path):
    (tmp_path / "file").write_text("not a folder")

    bad_place = keyturn.refused(
        "admin",
        "reset",
        "--email",
        "ann@example.com",
        "--out",
        str(tmp_path / "file" / "x"),
        code=1,
    )
    bad_email = keyturn.refused(
        "admin", "reset", "--email", "ann", "--out", str(tmp_path / "token"), code=1
    )

    assert "--out" in bad_place
    assert "--email: give an address" in bad_email
    assert [user.email for user in world.rows(User)] == ["admin@example.com"]
    assert world.rows(VirtualAccount) == []
