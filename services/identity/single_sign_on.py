"""Single sign-on: a person logs in at an identity provider, and gets a login session here.

OpenID Connect's code flow with PKCE. The browser keeps one secret, in a cookie, until it comes
back; state, nonce and verifier are made of it, so that the database has a hash alone and a login
that was begun in one browser cannot be finished in another.
"""

import hmac
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from core import jwts
from core.errors import InvalidInput, NotFound, Unready
from core.ids import new_id
from core.tokens import Token, TokenKind, mint, recognise
from models import IdentityProvider, SignIn, Tenant
from services.identity.external_jwts import examine_id_token
from services.identity.identity_providers import client_secret
from services.identity.mapped import person_of
from services.identity.oidc_client import Login, made_of
from services.identity.trusted_providers import Trusted
from services.outbox import Outbox
from services.people.sessions import audit_login, open_session
from services.people.sign_in import Opened
from services.runtime import Runtime
from services.scope import mine
from services.verify.verdicts import Reason, Rejected

LENGTH = timedelta(minutes=10)
MOST_OPEN = 1_000  # in one tenant: anybody may begin a login
_ENDED = "this login is unknown, used, or has ended: begin again"


@dataclass(frozen=True)
class Choice:
    """An identity provider that people can log in by."""

    id: UUID
    name: str


@dataclass(frozen=True)
class Begun:
    """A login that was begun: where the browser goes, and what it keeps in a cookie meanwhile."""

    url: str
    kept: Token


def only_tenant(runtime: Runtime) -> str | None:
    """The tenant's name where there is just one; of several, people say theirs themselves."""
    with runtime.database.reading() as session:
        names = session.scalars(select(Tenant.name).limit(2)).all()
    return names[0] if len(names) == 1 else None


def sign_in_choices(runtime: Runtime, tenant_name: str) -> list[Choice]:
    """Those of the tenant, by name; none if there is no such tenant."""
    with runtime.database.reading() as session:
        rows = session.scalars(
            select(IdentityProvider)
            .join(Tenant, Tenant.id == IdentityProvider.tenant_id)
            .where(Tenant.name == tenant_name)
            .order_by(IdentityProvider.name)
        )
        return [Choice(row.id, row.name) for row in rows if row.manifest.get("sign_in")]


def begin_sign_in(runtime: Runtime, provider_id: UUID, redirect_uri: str) -> Begun:
    """A login that waits ten minutes for its browser to come back to `redirect_uri`, ours.

    Unready if the provider does not answer, or too many wait.
    """
    provider = _trusted(runtime, provider_id)
    if not redirect_uri.startswith(f"{runtime.settings.public_url.rstrip('/')}/"):
        raise InvalidInput("redirect_uri", "give an address below KEYTURN_PUBLIC_URL")
    kept = mint(TokenKind.SIGN_IN)

    def use_case(session: Session, outbox: Outbox) -> None:
        waiting = mine(SignIn, provider.tenant_id).where(SignIn.expires_at > outbox.now)
        if (session.scalar(select(func.count()).select_from(waiting.subquery())) or 0) >= MOST_OPEN:
            raise Unready("Too many logins wait to be finished: try again in some minutes.")
        session.add(
            SignIn(
                tenant_id=provider.tenant_id,
                id=new_id(),
                provider_id=provider.id,
                hash=_hash(made_of(kept, "state")),
                redirect_uri=redirect_uri,
                created_at=outbox.now,
                expires_at=outbox.now + LENGTH,
            )
        )

    runtime.change(use_case)
    return Begun(Login(runtime, provider, kept, redirect_uri).url(), kept)


def finish_sign_in(
    runtime: Runtime,
    kept: str,
    state: str,
    code: str,
    *,
    issuer: str | None = None,
    address: str | None = None,
    request_id: str | None = None,
) -> Opened | Rejected:
    """The session that the login opens, once; or why it opens none.

    `kept` is from the browser's cookie, the others from the query that it came back with.
    InvalidInput for a login that is not this browser's, was used or has ended, Unready if the
    provider does not answer.
    """
    own = recognise(kept)
    if own is None or own.kind is not TokenKind.SIGN_IN:
        raise InvalidInput("state", _ENDED)
    if not hmac.compare_digest(made_of(own, "state").encode(), state.encode("utf-8", "replace")):
        raise InvalidInput("state", _ENDED)
    provider, redirect_uri = _used(runtime, state)
    if issuer not in {None, provider.manifest.issuer}:
        raise InvalidInput("iss", "another identity provider has answered: begin again")
    login = Login(runtime, provider, own, redirect_uri)
    answer = login.redeem(code, _secret(runtime, provider))
    text = answer.get("id_token")
    said = jwts.read(text) if isinstance(text, str) and recognise(text) else None
    if said is None:
        return Rejected(Reason.MALFORMED)
    found = examine_id_token(runtime, provider, str(text), said, login.nonce)
    if found.refusal is not None:
        return Rejected(found.refusal)
    claims = login.with_address(said.claims, answer.get("access_token"))

    def use_case(session: Session, outbox: Outbox) -> Opened | Rejected:
        user = person_of(session, found, claims)
        if user is None or not user.active:
            return Rejected(Reason.UNMAPPED if user is None else Reason.INACTIVE)
        tenant = session.get_one(Tenant, user.tenant_id)
        token = open_session(session, user, outbox.now, tenant.session_length)
        detail = {"by": "single sign-on", "identity_provider": provider.name}
        audit_login(outbox, user, detail, address=address, request_id=request_id)
        return Opened(token, outbox.now + tenant.session_length)

    return runtime.change(use_case)


def _trusted(runtime: Runtime, provider_id: UUID) -> Trusted:
    provider = runtime.providers.get(provider_id)
    if provider is None or provider.manifest.sign_in is None:
        raise NotFound("identity provider", provider_id)
    return provider


def _used(runtime: Runtime, state: str) -> tuple[Trusted, str]:
    """The login of this state, which is gone from now on, whatever comes of it.

    One statement takes it, so that it is taken once.
    """

    def use_case(session: Session, outbox: Outbox) -> tuple[UUID, str] | None:
        taken = session.execute(
            delete(SignIn)
            .where(SignIn.hash == _hash(state))
            .returning(SignIn.provider_id, SignIn.redirect_uri, SignIn.expires_at)
        ).one_or_none()
        if taken is None or taken.expires_at <= outbox.now:
            return None
        return taken.provider_id, taken.redirect_uri

    found = runtime.change(use_case)
    if found is None:
        raise InvalidInput("state", _ENDED)
    provider_id, redirect_uri = found
    return _trusted(runtime, provider_id), redirect_uri


def _secret(runtime: Runtime, provider: Trusted) -> str | None:
    key = (provider.id, provider.tenant_id)
    with runtime.database.reading() as session:
        row = session.get(IdentityProvider, key)
    return client_secret(runtime, row) if row else None


def _hash(text: str) -> bytes:
    return sha256(text.encode()).digest()
