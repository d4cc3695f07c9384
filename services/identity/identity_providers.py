"""Identity providers of a tenant: created or updated by manifest, looked at, deleted.

Whoever says whose JWTs are taken could be anybody here, so only a tenant-admin does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.actors import Actor
from core.errors import Conflict, InvalidInput, MasterKeyMissing, NotFound, SealBroken
from core.ids import new_id
from core.plugins import MASK
from core.provider_manifests import IdentityProviderManifest, parse_provider
from core.spelling import reference_spelling
from models import Audience, IdentityMapping, IdentityProvider, Tenant
from services.expecting import Expected, check_expected
from services.identity.exchanged import end_of_provider
from services.identity.trusted_providers import Trusted
from services.integrations.asterisks import unmask
from services.outbox import Outbox
from services.runtime import Runtime
from services.scope import find, find_locked, mine

MOST = 50  # of one tenant
NEEDS = "settings:read"
_WHAT = "identity provider"
_SEALED = "identity_providers"
_MAPPED = "Virtual accounts are mapped to this identity provider: end that first."


@dataclass(frozen=True)
class ProviderView:
    """An identity provider as it is read."""

    row: IdentityProvider
    tenant: Tenant

    @property
    def fqn(self) -> str:
        return f"identity-provider:{self.row.name}"


@dataclass(frozen=True)
class PutProvider:
    """What a create or update did; its warnings are of keys that could not be fetched."""

    view: ProviderView
    created: bool
    changed: bool
    existing: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def row(self) -> IdentityProvider:
        return self.view.row


def list_identity_providers(
    runtime: Runtime, actor: Actor, *, limit: int, offset: int
) -> tuple[list[ProviderView], int]:
    """A page by name, and how many there are. Needs `settings:read`."""
    actor.demand_everywhere(NEEDS)
    with runtime.database.reading() as session:
        tenant = session.get_one(Tenant, actor.tenant_id)
        all_ = mine(IdentityProvider, tenant.id)
        total = session.scalar(select(func.count()).select_from(all_.subquery())) or 0
        rows = session.scalars(all_.order_by(IdentityProvider.name).limit(limit).offset(offset))
        return [ProviderView(row, tenant) for row in rows], total


def read_identity_provider(runtime: Runtime, actor: Actor, provider_id: str) -> ProviderView:
    """One of them. Needs `settings:read`."""
    actor.demand_everywhere(NEEDS)
    with runtime.database.reading() as session:
        row = find(session, IdentityProvider, actor.tenant_id, provider_id, _WHAT)
        return ProviderView(row, session.get_one(Tenant, actor.tenant_id))


def put_identity_provider(
    runtime: Runtime,
    actor: Actor,
    given: dict[str, Any],
    *,
    dry_run: bool = False,
    expected: Expected | None = None,
) -> PutProvider:
    """Creates the provider of this name or makes it agree with the manifest; for tenant-admins.

    Conflict if an audience of the issuer is another provider's, here or elsewhere. Changed trust
    ends what was exchanged under the old one. An update that touches nothing changes nothing.
    """
    spelled = {"type": "identity-provider", **reference_spelling(given)}

    def use_case(session: Session, outbox: Outbox) -> PutProvider:
        actor.demand_admin()
        if expected is not None:
            check_expected(expected, _named(session, actor, str(spelled.get("name"))))
        return _put(runtime, session, outbox, actor, spelled)

    with _alone():
        put = runtime.change(use_case, rehearse=dry_run)
    if put.changed and not dry_run:
        put.warnings.extend(_unanswered(runtime, put.view))
    return put


def delete_identity_provider(runtime: Runtime, actor: Actor, provider_id: str) -> None:
    """Nothing of this provider is taken any more; Conflict while accounts are mapped to it."""

    def by_id(session: Session) -> IdentityProvider:
        return find_locked(session, IdentityProvider, actor.tenant_id, provider_id, _WHAT)

    _delete(runtime, actor, by_id)


def delete_identity_provider_by_name(runtime: Runtime, actor: Actor, name: str) -> None:
    """The same, by its name."""

    def by_name(session: Session) -> IdentityProvider:
        row = _named(session, actor, name)
        if row is None:
            raise NotFound(_WHAT, name)
        return row

    _delete(runtime, actor, by_name)


def client_secret(runtime: Runtime, row: IdentityProvider) -> str | None:
    """The secret of the provider's client that people log in by; None if it has none."""
    if row.sealed is None:
        return None
    return runtime.keyring.open(_SEALED, row.tenant_id, row.id, row.sealed).decode()


def _put(
    runtime: Runtime, session: Session, outbox: Outbox, actor: Actor, spelled: dict[str, Any]
) -> PutProvider:
    tenant = session.get_one(Tenant, actor.tenant_id)
    name = spelled.get("name")
    row = _named(session, actor, name) if isinstance(name, str) else None
    before = _full(runtime, row) if row else None
    full = unmask(spelled, before)
    manifest = parse_provider(full)
    existing = row.manifest if row else None
    if row is not None and full == before:
        return PutProvider(ProviderView(row, tenant), False, False, existing)
    created = row is None
    if row is None:
        row = _create(session, outbox, actor, tenant, manifest)
    elif _trust(row) != manifest.trust:
        end_of_provider(session, outbox, row)
    row.manifest = _masked(full)
    secret = manifest.sign_in and manifest.sign_in.client_secret
    row.sealed = None
    if secret:
        plain = secret.get_secret_value().encode()
        row.sealed = runtime.keyring.seal(_SEALED, tenant.id, row.id, plain)
    row.updated_at = outbox.now
    session.add(row)
    session.flush()
    _settle_audiences(session, row, manifest)
    detail: dict[str, Any] = {"manifest": row.manifest}
    if not created:
        detail = {"before": existing, "after": row.manifest}
    _audit(outbox, actor, "created" if created else "updated", row, detail)
    return PutProvider(ProviderView(row, tenant), created, True, existing)


def _trust(row: IdentityProvider) -> Any:
    """What the provider is trusted for; nothing, where another release wrote what none reads."""
    try:
        return parse_provider(row.manifest).trust
    except InvalidInput:
        return None


def _create(
    session: Session,
    outbox: Outbox,
    actor: Actor,
    tenant: Tenant,
    manifest: IdentityProviderManifest,
) -> IdentityProvider:
    there_are = select(func.count()).select_from(mine(IdentityProvider, tenant.id).subquery())
    if (session.scalar(there_are) or 0) >= MOST:
        raise Conflict(f"A tenant has at most {MOST} identity providers.")
    return IdentityProvider(
        tenant_id=tenant.id,
        id=new_id(),
        name=manifest.name,
        created_by=actor.as_subject(),
        created_at=outbox.now,
    )


def _settle_audiences(
    session: Session, row: IdentityProvider, manifest: IdentityProviderManifest
) -> None:
    """Each audience of the issuer is this provider's alone, in all tenants."""
    own = session.scalars(mine(Audience, row.tenant_id).where(Audience.provider_id == row.id)).all()
    for one in own:
        if one.issuer != manifest.issuer or one.audience not in manifest.audiences:
            session.delete(one)
    session.flush()
    for number, audience in enumerate(manifest.audiences):
        held = session.scalar(
            select(Audience).where(
                Audience.issuer == manifest.issuer, Audience.audience == audience
            )
        )
        if held is not None and (held.tenant_id, held.provider_id) != (row.tenant_id, row.id):
            raise Conflict(f"audiences.{number}: another identity provider has this audience.")
        if held is None:
            session.add(
                Audience(
                    tenant_id=row.tenant_id,
                    id=new_id(),
                    provider_id=row.id,
                    issuer=manifest.issuer,
                    audience=audience,
                )
            )
    session.flush()


def _delete(runtime: Runtime, actor: Actor, found: Callable[[Session], IdentityProvider]) -> None:
    def use_case(session: Session, outbox: Outbox) -> None:
        actor.demand_admin()
        row = found(session)
        mapped = mine(IdentityMapping, row.tenant_id).where(IdentityMapping.provider_id == row.id)
        if session.scalar(mapped.limit(1)) is not None:
            raise Conflict(_MAPPED)
        session.delete(row)
        _audit(outbox, actor, "deleted", row, {"manifest": row.manifest})

    try:
        runtime.change(use_case)
    except IntegrityError:  # one was mapped between our look and our commit
        raise Conflict(_MAPPED) from None


def _named(session: Session, actor: Actor, name: str) -> IdentityProvider | None:
    return session.scalar(
        mine(IdentityProvider, actor.tenant_id)
        .where(IdentityProvider.name == name)
        .with_for_update(key_share=True)
    )


def _full(runtime: Runtime, row: IdentityProvider) -> dict[str, Any]:
    """The manifest with the client's secret, if there is one that can be opened."""
    full: dict[str, Any] = dict(row.manifest)
    if isinstance(full.get("sign_in"), dict):
        sign_in = {key: value for key, value in full["sign_in"].items() if value != MASK}
        try:
            secret = client_secret(runtime, row)
        except (SealBroken, MasterKeyMissing):
            secret = None
        full["sign_in"] = sign_in | ({"client_secret": secret} if secret else {})
    return full


def _masked(full: dict[str, Any]) -> dict[str, Any]:
    sign_in = full.get("sign_in")
    if isinstance(sign_in, dict) and sign_in.get("client_secret"):
        return {**full, "sign_in": {**sign_in, "client_secret": MASK}}
    return full


def _unanswered(runtime: Runtime, view: ProviderView) -> Sequence[str]:
    """Fetches the keys once, outside any transaction, so that a mistake shows at once."""
    row = view.row
    manifest = parse_provider(row.manifest)
    trusted = Trusted(row.tenant_id, view.tenant.name, row.id, manifest, row.manifest)
    failure = runtime.provider_keys.fetch(trusted)
    return [f"{row.name}: {failure}"] if failure else []


@contextmanager
def _alone() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        if "identity_provider" not in str(error.orig):
            raise
        said = "Somebody else is changing an identity provider at this moment: repeat the call."
        raise Conflict(said) from None


def _audit(
    outbox: Outbox, actor: Actor, verb: str, row: IdentityProvider, detail: dict[str, Any]
) -> None:
    outbox.audit(
        actor,
        f"identity-provider.{verb}",
        subject_type="identity-provider",
        subject_id=row.id,
        subject_name=row.name,
        detail=detail,
    )
