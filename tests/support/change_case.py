"""A world with a person and a machine, for tests of what verifiers are told."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.actors import Actor
from models import Change, LoginSession
from services.access import bindings, roles
from services.engine import tokens
from services.people import teams
from services.verify.verification import Verified, actor_of, verify
from tests.support.identity import trust_unseen
from tests.support.persons import Person, logged_in, person
from tests.support.world import World

SHORT = {"interval": "1h", "grace": "20s", "max_hold": "2h"}


@dataclass
class Case:
    """A world with a person and a machine that hold nothing, and all of it told already."""

    world: World

    def __post_init__(self) -> None:
        trust_unseen(self.world)
        self.account, self.token = self.world.create(auto_rotate=SHORT)
        self.token_id = self.world.current(self.account).id
        self.ann: Person = person(self.world)
        self.login = logged_in(self.world, self.ann).reveal()
        self.login_id = self.world.rows(LoginSession)[0].id

    @property
    def whole(self) -> UUID:
        return self.world.tenant_id

    @property
    def called_by_login(self) -> Actor:
        verified = verify(self.world.runtime, self.login)
        assert isinstance(verified, Verified)
        return actor_of(self.world.runtime, verified)

    def do(self, use_case: Callable[..., Any], *given: Any, **more: Any) -> Any:
        return use_case(self.world.runtime, self.world.admin, *given, **more)

    def team(self, *members: str, **more: Any) -> str:
        manifest = {"name": "ops", "members": list(members), **more}
        return str(self.do(teams.put_team, manifest).row.id)

    def role(self, *permissions: str) -> str:
        manifest = {
            "name": "reader",
            "display_name": "Reader",
            "description": "",
            "resource_type": "virtual-account",
            "permissions": ["virtual-account:read", *permissions],
        }
        return str(self.do(roles.put_role, manifest).view.row.id)

    def binding(self, kind: str = "user", name: str = "ann@example.com") -> str:
        held = {"resource_type": "account", "resource_fqn": "acme", "role": "account-viewer"}
        manifest = {
            "name": "readers",
            "subjects": [{"type": kind, "name": name}],
            "permissions": [held],
        }
        return str(self.do(bindings.put_binding, manifest).row.id)

    def in_grace(self) -> UUID:
        """A rotation; answers the old token."""
        old = self.world.current(self.account).id
        self.do(tokens.rotate_account, self.account.id)
        return old

    def put(self, **manifest: Any) -> None:
        self.world.put(**{"auto_rotate": SHORT, **manifest})

    def told(self) -> set[UUID]:
        return {change.subject for change in self.world.rows(Change)}

    def forget(self) -> None:
        with self.world.runtime.database.writing() as session:
            session.query(Change).delete()
