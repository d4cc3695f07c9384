"""How a person comes to a session at the console: by a token of theirs, or a one-time link."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.errors import Conflict, Forbidden, InvalidInput, Unauthenticated
from core.tokens import Token
from models import PersonalAccessToken, Tenant, User
from services.outbox import Outbox
from services.people.invitations import new_link, page_of
from services.people.sessions import open_session
from services.people.user_life import active_admins
from services.people.users import audit_user, find_by_email
from services.runtime import Runtime
from services.verify.verification import Verified

LINK_LIFE = timedelta(minutes=15)
_FEW = 6  # admins that are named
WELCOME = "/welcome"  # the page that one-time links open


@dataclass(frozen=True)
class Opened:
    """A new login session: its token, shown this once, and when it ends by itself."""

    token: Token
    until: datetime


def sign_in(
    runtime: Runtime,
    verified: Verified,
    *,
    address: str | None = None,
    request_id: str | None = None,
) -> Opened:
    """A session for whoever showed this personal access token; it ends with the token.

    Forbidden for machines' tokens, and for sessions, which would otherwise renew themselves.
    """
    if verified.kind is not ActorKind.USER:
        raise Forbidden(
            "This token is a virtual account's, and people sign in here: use a personal access "
            "token, or a one-time link."
        )
    if verified.is_session:
        raise Forbidden("This token is a session's: sign in with a personal access token.")

    def use_case(session: Session, outbox: Outbox) -> Opened:
        tenant = session.get_one(Tenant, verified.tenant_id)
        user = session.get(User, (verified.subject_id, tenant.id))
        row = session.get(PersonalAccessToken, (verified.token_id, tenant.id))
        if user is None or row is None or not user.active or not row.is_valid(outbox.now):
            raise Unauthenticated("it has ended meanwhile")
        token = open_session(session, user, outbox.now, tenant.session_length, row.id)
        actor = Actor(
            tenant.id,
            ActorKind.USER,
            user.email,
            user.id,
            token_id=row.id,
            address=address,
            request_id=request_id,
        )
        audit_user(outbox, actor, "session.opened", user, {"by": "personal access token"})
        ends = outbox.now + tenant.session_length
        return Opened(token, min(ends, row.expires_at or ends))

    return runtime.change(use_case)


def sign_in_link(runtime: Runtime, actor: Actor, email: str | None, *, page_url: str) -> str:
    """A one-time link by which this person signs in, for whoever sits at the machine.

    Without an address it is the tenant's only admin's. An earlier link of theirs works no more.
    """
    if actor.kind is not ActorKind.OPERATOR:
        raise Forbidden("Only the machine's own command line makes links for others to sign in.")
    page = page_of(page_url, "url")

    def use_case(session: Session, outbox: Outbox) -> str:
        tenant = session.get_one(Tenant, actor.tenant_id)
        user = find_by_email(session, tenant.id, email) if email else _only_admin(session, tenant)
        if not user.active:
            raise Conflict(f"{user.email} is not active: activate them first.")
        audit_user(outbox, actor, "user.sign-in-link-made", user)
        return new_link(user, page, outbox.now, LINK_LIFE)

    return runtime.change(use_case)


def _only_admin(session: Session, tenant: Tenant) -> User:
    admins = session.scalars(active_admins(tenant).order_by(User.email).limit(_FEW)).all()
    if len(admins) != 1:
        known = ", ".join(user.email for user in admins) or "nobody is an active admin"
        raise InvalidInput("email", f"say who signs in: {known}")
    return admins[0]
