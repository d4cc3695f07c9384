"""Where an account's token is kept: made to agree with its manifest."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, PlaceRefused
from core.events import EventType
from core.ids import new_id
from core.layout import BARE
from core.manifests import VirtualAccountManifest
from core.plugins import Family
from core.roles import Resource
from core.store_places import GroupConfig, StorePlace
from models import (
    Integration,
    Lane,
    Place,
    PlaceState,
    Priority,
    Tenant,
    TokenRow,
    TokenState,
    VirtualAccount,
)
from services.accounts.entitlements import demand_use
from services.delivery.destinations import configured, lane_for
from services.engine.holds import release_holds
from services.integrations.built_in import built_in
from services.opened import Opened
from services.outbox import Outbox, written
from services.scope import mine
from services.secrets.group_places import demand_place, group_of_place
from sinks.base import Sink

_STORES = "secret_store_configs.{}"


@dataclass(frozen=True)
class Wanted:
    """A place as the manifest asks for it."""

    integration: Integration
    lane: Lane
    path: str
    key: str
    config: StorePlace
    group: Resource | None = None

    @property
    def spot(self) -> tuple[UUID, str, str]:
        return self.integration.id, self.path, self.key

    @property
    def layout(self) -> dict[str, Any] | None:
        """As the place's row keeps it."""
        layout = self.config.layout
        return None if layout == BARE else layout.model_dump(mode="json", exclude_none=True)

    def demand(self, actor: Actor) -> None:
        """Forbidden unless the actor may keep a token there."""
        if self.group is not None:
            demand_place(actor, self.group, adopt=self.config.adopt)
        else:
            demand_use(actor, self.integration)


def settle_places(
    session: Session,
    outbox: Outbox,
    opened: Opened,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
    actor: Actor,
) -> tuple[list[Place], list[Place]]:
    """Adds, changes and removes places.

    Answers those that do not hold yet what they should, and those whose copies stay without
    being the account's any more.

    Taking a place away, or no longer requiring it, releases in this commit what only it held.
    """
    wanted = _wanted(session, outbox, opened, account, manifest)
    existing = session.scalars(
        mine(Place, account.tenant_id).where(
            Place.account_id == account.id, Place.state != PlaceState.REMOVED
        )
    ).all()
    new = []
    kept: set[UUID] = set()
    for want in wanted:
        place = next((p for p in existing if (p.integration_id, p.path, p.key) == want.spot), None)
        if place is None or (want.config.adopt and not place.adopt):
            want.demand(actor)
        if place is None:
            place = _add(session, outbox, account, want)
            new.append(place)
        elif place.state is PlaceState.REMOVING:
            place.state = PlaceState.ACTIVE
            new.append(place)
        elif place.layout != want.layout:
            new.append(place)
        place.layout = want.layout
        place.required, place.adopt = want.config.required, want.config.adopt
        place.keep_copy = want.config.keep_copy
        kept.add(place.id)
    staying = remove_places(session, outbox, account, [p for p in existing if p.id not in kept])
    session.flush()
    release_holds(session, [account.id], outbox.now)
    return new, staying


def remove_places(
    session: Session,
    outbox: Outbox,
    account: VirtualAccount,
    places: Iterable[Place],
    *,
    keep_copies: bool = False,
) -> list[Place]:
    """These places are no longer the account's; what Keyturn wrote there is removed, or kept.

    Answers those whose copies are kept. A copy that one of them was to replace, and has not,
    is removed after all.
    """
    going = [place for place in places if place.state is PlaceState.ACTIVE]
    if not going:
        return []
    event_id = outbox.tell(
        account.tenant_id,
        EventType.COPY_REQUESTED,
        account_id=account.id,
        facts={"account": account.name, "cause": "removed", "kept": keep_copies},
    )
    staying = []
    for place in going:
        place.check_at = None
        if place.takes_over is not None:
            _remove(outbox, event_id, session.get_one(Place, (place.takes_over, place.tenant_id)))
        if keep_copies or place.keep_copy:
            place.state = PlaceState.REMOVED
            outbox.supersede(place)
            staying.append(place)
        else:
            _remove(outbox, event_id, place)
    session.flush()
    return staying


def _remove(outbox: Outbox, event_id: UUID, place: Place) -> None:
    place.state = PlaceState.REMOVING
    outbox.remove(event_id, place)


def send_copies(
    session: Session,
    outbox: Outbox,
    account: VirtualAccount,
    places: Sequence[Place],
    *,
    cause: str,
    priority: Priority,
) -> bool:
    """Sends the current token to these places, each as a new revision; False without a token."""
    token = session.scalar(
        mine(TokenRow, account.tenant_id).where(
            TokenRow.account_id == account.id, TokenRow.state == TokenState.CURRENT
        )
    )
    if token is None or not places:
        return False
    previous = session.scalar(
        mine(TokenRow, account.tenant_id)
        .where(TokenRow.account_id == account.id, TokenRow.state == TokenState.GRACE)
        .order_by(TokenRow.generation.desc())
        .limit(1)
    )
    event_id = outbox.tell(
        account.tenant_id,
        EventType.COPY_REQUESTED,
        account_id=account.id,
        facts={
            "account": account.name,
            "generation": token.generation,
            "cause": cause,
            "rotated_at": written(token.created_at),
            "grace_until": written(previous.grace_until if previous else None),
            "next_rotation_at": written(account.next_rotation_at),
            "expires_at": written(account.expires_at),
        },
    )
    for place in places:
        place.revision += 1
        outbox.put(
            event_id,
            place,
            revision=place.revision,
            generation=token.generation,
            priority=priority,
        )
    session.flush()
    return True


def _wanted(
    session: Session,
    outbox: Outbox,
    opened: Opened,
    account: VirtualAccount,
    manifest: VirtualAccountManifest,
) -> list[Wanted]:
    wanted: dict[tuple[UUID, str, str], Wanted] = {}
    tenant = session.get_one(Tenant, account.tenant_id)
    for number, store in enumerate(manifest.stores):
        where = "secret_store_config" if manifest.secret_store_config else _STORES.format(number)
        if isinstance(store, GroupConfig):
            integration = built_in(session, tenant, outbox.now)
            named = f"{store.secret_group.removeprefix(f'{tenant.name}:')}/{store.key}"
            said = where
        else:
            integration = configured(
                session,
                account.tenant_id,
                store.integration_fqn,
                Family.SINK,
                f"{where}.integration_fqn",
            )
            named, said = store.secret_path, f"{where}.secret_path"
        plugin = opened.plugin(integration)
        assert isinstance(plugin, Sink)
        try:
            path = plugin.place(named)
        except PlaceRefused as error:
            raise InvalidInput(said, str(error)) from None
        want = Wanted(
            integration=integration,
            lane=lane_for(session, integration, plugin),
            path=path,
            key=_key(plugin, store, f"{where}.key"),
            config=store,
            group=group_of_place(session, tenant, integration, path, said),
        )
        if want.spot in wanted:
            raise InvalidInput(said, "this place is named twice")
        wanted[want.spot] = want
    return list(wanted.values())


def _key(plugin: Sink, store: StorePlace, where: str) -> str:
    if isinstance(store, GroupConfig):
        return ""  # the key is the end of its path
    try:
        return plugin.key(store.key)
    except PlaceRefused as error:
        raise InvalidInput(where, str(error)) from None


def _add(session: Session, outbox: Outbox, account: VirtualAccount, want: Wanted) -> Place:
    others = session.scalars(
        select(Place)
        .where(
            Place.tenant_id == account.tenant_id,
            Place.integration_id == want.integration.id,
            Place.path == want.path,
            Place.key == want.key,
            Place.state != PlaceState.REMOVED,
        )
        .with_for_update(key_share=True)
    ).all()
    if any(other.state is PlaceState.ACTIVE for other in others):
        raise Conflict(f"{want.path} in {want.integration.fqn} belongs to another virtual account.")
    # Of several that wait, the store bears the mark of one that it confirmed.
    others = sorted(others, key=lambda other: other.confirmed_revision, reverse=True)
    for other in others:  # what waits to be removed there is replaced instead
        other.state = PlaceState.REMOVED
        outbox.supersede(other)
    place = Place(
        tenant_id=account.tenant_id,
        id=new_id(),
        account_id=account.id,
        integration_id=want.integration.id,
        lane_id=want.lane.id,
        path=want.path,
        required=want.config.required,
        adopt=want.config.adopt,
        keep_copy=want.config.keep_copy,
        layout=want.layout,
        takes_over=others[0].id if others else None,
        revision=0,
        confirmed_revision=0,
        confirmed_generation=0,
        state=PlaceState.ACTIVE,
        key=want.key,
    )
    session.add(place)
    session.flush()
    return place
