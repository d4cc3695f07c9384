"""Manifests of every type: which use case applies and deletes each, in which order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple, Protocol, TypeVar

from sqlalchemy.orm import Session

from core.actors import Actor
from core.differences import told_difference
from core.errors import InvalidInput, KeyturnError
from services.access.bindings import delete_binding_by_name, put_binding
from services.access.roles import delete_role_by_name, put_role
from services.accounts.account_life import delete_account
from services.accounts.account_views import find_account
from services.accounts.accounts import put_account
from services.identity.identity_providers import (
    delete_identity_provider_by_name,
    put_identity_provider,
)
from services.integrations.integration_removal import delete_provider_account
from services.integrations.integrations import apply_provider_account
from services.outbox import Outbox
from services.people.teams import delete_team_by_name, put_team
from services.runtime import Runtime
from services.secrets.secret_groups import delete_secret_group_by_name, put_secret_group

Result = TypeVar("Result")


class _Made(Protocol):
    """What every use case that applies a manifest answers."""

    @property
    def created(self) -> bool: ...
    @property
    def changed(self) -> bool: ...
    @property
    def existing(self) -> dict[str, Any] | None: ...


class _Kind(NamedTuple):
    """`delete` is given the type and the name.

    `now` reads from what `put` answers how the thing is described now, credentials masked.
    """

    put: Callable[..., _Made]
    delete: Callable[[Runtime, Actor, str, str], None]
    now: Callable[[Any], dict[str, Any]]


def _delete_account(runtime: Runtime, actor: Actor, name: str) -> None:
    delete_account(runtime, actor, find_account(runtime, actor, name).account.id)


def _by_name(delete: Callable[[Runtime, Actor, str], None]) -> Callable[..., None]:
    return lambda runtime, actor, _type, name: delete(runtime, actor, name)


def _now(made: Any) -> dict[str, Any]:
    manifest: dict[str, Any] = made.row.manifest
    return manifest


# In this order nothing is applied before what it refers to.
KINDS: dict[str, _Kind] = {
    "provider-account": _Kind(
        apply_provider_account, delete_provider_account, lambda made: made.account.manifest
    ),
    "team": _Kind(put_team, _by_name(delete_team_by_name), _now),
    "role": _Kind(put_role, _by_name(delete_role_by_name), _now),
    "identity-provider": _Kind(
        put_identity_provider, _by_name(delete_identity_provider_by_name), _now
    ),
    "secret-group": _Kind(put_secret_group, _by_name(delete_secret_group_by_name), _now),
    "virtual-account": _Kind(
        put_account, _by_name(_delete_account), lambda made: made.view.account.manifest
    ),
    "role-binding": _Kind(put_binding, _by_name(delete_binding_by_name), _now),
}
_SUBTYPED = "provider-account"
_ORDER = list(KINDS)


@dataclass(frozen=True)
class Applied:
    """What applying one manifest did, or would do. `made` is what its use case answered."""

    kind: str
    name: str
    created: bool
    changed: bool
    existing: dict[str, Any] | None
    diff: str
    warnings: list[str]
    made: Any = field(repr=False)


def kind_of(given: dict[str, Any]) -> str:
    """The kind of this manifest; InvalidInput names those there are."""
    given_type = given.get("type")
    if isinstance(given_type, str):
        base, _, below = given_type.partition("/")
        if base in KINDS and bool(below) == (base == _SUBTYPED):
            return base
    allowed = ", ".join(f"{kind}/<provider>" if kind == _SUBTYPED else kind for kind in KINDS)
    raise InvalidInput("manifest.type", f"give one of {allowed}")


def place_in_order(given: dict[str, Any]) -> int:
    """Sorts manifests so that none comes before what it refers to."""
    return _ORDER.index(kind_of(given))


def apply_manifest(
    runtime: Runtime, actor: Actor, given: dict[str, Any], *, dry_run: bool = False
) -> Applied:
    """Creates what the manifest describes or makes it agree with it; repeated, changes nothing.

    A dry run checks everything, writes nothing and answers what would be.
    """
    kind = kind_of(given)
    made = KINDS[kind].put(runtime, actor, given, dry_run=dry_run)
    now = KINDS[kind].now(made)
    existing = made.existing
    return Applied(
        kind=kind,
        name=str(now.get("name", "")),
        created=made.created,
        changed=made.changed,
        existing=existing,
        diff=told_difference(existing, now, changed=made.changed),
        warnings=_warnings(made),
        made=made,
    )


def _warnings(made: Any) -> list[str]:
    """What its writer should know: also of integrations that did not answer."""
    silent = [
        f"{one.fqn}: {one.checked['message']}"
        for one in getattr(made, "integrations", [])
        if one.checked.get("ok") is False
    ]
    return [*getattr(made, "warnings", []), *silent]


def delete_manifest(runtime: Runtime, actor: Actor, given: dict[str, Any]) -> None:
    """Deletes what the manifest names; only its type and name are read.

    NotFound if there is none, Conflict while something uses it.
    """
    kind = kind_of(given)
    name = given.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInput("manifest.name", "give the name of what is to be deleted")
    KINDS[kind].delete(runtime, actor, str(given["type"]), name)


def rehearse_manifests(
    runtime: Runtime, actor: Actor, manifests: Sequence[dict[str, Any]]
) -> list[Applied | KeyturnError]:
    """What applying all of these in turn would do, each seeing what those before it did.

    One transaction, rolled back. What is refused is answered in its place.
    """

    def use_case(session: Session, _outbox: Outbox) -> list[Applied | KeyturnError]:
        parts = {one.name: getattr(runtime, one.name) for one in fields(runtime)}
        rehearsal = _Rehearsal(**parts, session=session)
        return [_rehearsed(rehearsal, actor, given) for given in manifests]

    return runtime.change(use_case, rehearse=True)


def _rehearsed(rehearsal: Runtime, actor: Actor, given: dict[str, Any]) -> Applied | KeyturnError:
    try:
        return apply_manifest(rehearsal, actor, given, dry_run=True)
    except KeyturnError as error:
        return error


@dataclass
class _Rehearsal(Runtime):
    """A runtime whose use cases are all parts of one transaction, which its owner rolls back."""

    session: Session = field(kw_only=True)

    def change(
        self, use_case: Callable[[Session, Outbox], Result], *, rehearse: bool = False
    ) -> Result:
        """Runs a use case; undone by itself only if it fails."""
        with self.session.begin_nested():
            outbox = Outbox(self.now(), self.settings.digest_window)
            result = use_case(self.session, outbox)
            outbox.flush(self.session)
            return result
