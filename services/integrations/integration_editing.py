"""Writing one integration of a provider account: the others, and their credentials, stay."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, NotFound
from core.etags import check_match, etag_of
from core.spelling import reference_spelling
from models import Integration, ProviderAccount, Tenant
from services.integrations.describing import headings
from services.integrations.integration_removal import remove_account
from services.integrations.integrations import (
    account_resource,
    apply_spelled,
    check_integration,
    find_account,
)
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find

_WHAT = "integration"


@dataclass(frozen=True)
class Written:
    """An integration as its manifest has it, credentials masked; `tag` stands for what was read."""

    account: ProviderAccount
    item: dict[str, Any]
    tag: str


def add_integration(
    runtime: Runtime, actor: Actor, provider: str, account: str, given: dict[str, Any]
) -> Integration:
    """One more integration in the account of this name, which is made if there is none.

    What `apply` names `integrations.3.region` is `region` here, and the account's name is
    `account`. The integration is checked once it is stored.
    """
    item = reference_spelling(given)

    def use_case(session: Session, outbox: Outbox) -> Integration:
        kept: dict[str, Any] = {"type": f"provider-account/{provider}", "name": account}
        _check_account(kept)
        found = find_account(session, actor, provider, account)
        spelled = dict(found.manifest) if found else kept
        items = list(spelled.get("integrations") or [])
        if any(one.get("name") == item.get("name") for one in items):
            raise InvalidInput("name", f"{account} has an integration of this name already")
        return _apply(runtime, session, outbox, actor, spelled, [*items, item], len(items))

    row = runtime.change(use_case)
    check_integration(runtime, row)
    return row


def read_integration(runtime: Runtime, actor: Actor, integration_id: str) -> Written:
    """How it is written now. Needs `provider-account:update` on its account."""
    with runtime.database.reading() as session:
        row, account = _found(session, actor, integration_id)
        item = account.manifest["integrations"][_place(account, row)]
        return Written(account, item, etag_of(row.id, item))


def change_integration(
    runtime: Runtime, actor: Actor, integration_id: str, given: dict[str, Any], *, tag: str
) -> Integration:
    """The integration agrees with what is given; Stale if it was changed since it had this tag.

    Asterisks keep what is stored. It keeps its name and its type. Errors are as when adding.
    """
    item = reference_spelling(given)

    def use_case(session: Session, outbox: Outbox) -> Integration:
        row, account = _found(session, actor, integration_id)
        locked = find_account(session, actor, account.provider, account.name)
        if locked is None:
            raise NotFound(_WHAT, integration_id)
        items = list(locked.manifest["integrations"])
        place = _place(locked, row)
        check_match(tag, etag_of(row.id, items[place]))
        items[place] = {**item, "name": row.name, "type": items[place]["type"]}
        return _apply(runtime, session, outbox, actor, dict(locked.manifest), items, place)

    row = runtime.change(use_case)
    check_integration(runtime, row)
    return row


def delete_integration(runtime: Runtime, actor: Actor, integration_id: str) -> None:
    """The integration goes, and with its last one the account.

    Conflict says how many virtual accounts and secret groups still use it.
    """

    def use_case(session: Session, outbox: Outbox) -> None:
        row, account = _found(session, actor, integration_id)
        locked = find_account(session, actor, account.provider, account.name)
        if locked is None:
            raise NotFound(_WHAT, integration_id)
        items = list(locked.manifest["integrations"])
        del items[_place(locked, row)]
        if items:
            apply_spelled(
                runtime, session, outbox, actor, {**locked.manifest, "integrations": items}
            )
        else:
            remove_account(session, outbox, actor, locked)

    runtime.change(use_case)


def _check_account(kept: dict[str, Any]) -> None:
    try:
        headings(kept)
    except InvalidInput as error:
        said = str(error).removeprefix(f"{error.field}: ")
        raise InvalidInput("account", said) from None


def _found(
    session: Session, actor: Actor, integration_id: str | UUID
) -> tuple[Integration, ProviderAccount]:
    row = find(session, Integration, actor.tenant_id, integration_id, _WHAT)
    account = session.get_one(ProviderAccount, (row.provider_account_id, row.tenant_id))
    if row.deleted_at is not None or account.deleted_at is not None:
        raise NotFound(_WHAT, integration_id)
    tenant = session.get_one(Tenant, actor.tenant_id)
    resource = account_resource(tenant, account.provider, account.name)
    actor.demand("provider-account:update", resource)
    return row, account


def _place(account: ProviderAccount, row: Integration) -> int:
    """Where it stands in its account's manifest."""
    kind = f"integration/{row.family.value}/{row.kind}"
    for number, item in enumerate(account.manifest.get("integrations") or []):
        if (item.get("name"), item.get("type")) == (row.name, kind):
            return number
    raise Conflict(f"{row.fqn} is Keyturn's own, and stays as it is.")


def _apply(
    runtime: Runtime,
    session: Session,
    outbox: Outbox,
    actor: Actor,
    spelled: dict[str, Any],
    items: list[dict[str, Any]],
    place: int,
) -> Integration:
    prefix = f"integrations.{place}."
    try:
        applied = apply_spelled(runtime, session, outbox, actor, {**spelled, "integrations": items})
    except InvalidInput as error:
        if not error.field.startswith(prefix):
            raise
        said = str(error).removeprefix(f"{error.field}: ")
        raise InvalidInput(error.field.removeprefix(prefix), said) from None
    kind = str(items[place]["type"])
    return next(
        row
        for row in applied.integrations
        if row.name == items[place]["name"] and f"integration/{row.family.value}/{row.kind}" == kind
    )
