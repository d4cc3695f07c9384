"""Registering people, and the one-time links by which those who have nothing yet begin."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.errors import Conflict, InvalidInput
from core.tokens import Token, TokenKind, mint, recognise
from models import Tenant, User
from services.notices.invitation_mail import mail_invitation
from services.outbox import Outbox
from services.people.sessions import open_session
from services.people.user_life import lock_people, new_user
from services.people.users import UserView, audit_user, demand_as_strong, views_of
from services.runtime import Runtime
from services.scope import mine

LINK_LIFE = timedelta(days=7)
_LONGEST_URL = 2_000
_OVER = "this invitation is not valid any more: ask for a new one"


@dataclass(frozen=True)
class Invitation:
    """A one-time link, and whether it is on its way by e-mail."""

    link: str
    mailed: bool


@dataclass(frozen=True)
class Registered:
    """What a registration did. An invitation is there only if one was asked for and made."""

    view: UserView
    created: bool
    invitation: Invitation | None = None


@dataclass(frozen=True)
class Accepted:
    """The login session that an invitation turned into."""

    view: UserView
    token: Token
    until: datetime


@dataclass(frozen=True)
class Invited:
    """Whom a link is for, and where they begin. `is_new`: they have never been here."""

    email: str
    tenant: str
    is_new: bool


def register(
    runtime: Runtime,
    actor: Actor,
    email: str,
    *,
    with_link_to: str | None = None,
    skip_existing: bool = False,
    dry_run: bool = False,
) -> Registered:
    """A new person, active at once as a tenant-member; Conflict for an address that is known.

    With `skip_existing` somebody known is answered as they are, and nothing changes.
    """
    actor.demand_everywhere("user:create")
    page = page_of(with_link_to) if with_link_to is not None else None

    def use_case(session: Session, outbox: Outbox) -> Registered:
        tenant = lock_people(session, actor)
        user = _known(session, tenant, email)
        if user is not None:
            if skip_existing:
                return Registered(views_of(session, tenant, [user])[0], created=False)
            raise Conflict(f"{user.email} is registered already.")
        user = new_user(session, outbox, actor, email)
        made = None
        if page:
            link = new_link(user, page, outbox.now)
            mailed = mail_invitation(session, outbox, runtime, actor, user, link)
            made = Invitation(link, mailed)
        audit_user(outbox, actor, "user.registered", user, {"invited": made is not None})
        view = views_of(session, tenant, [user])[0]
        return Registered(view, created=True, invitation=None if dry_run else made)

    return runtime.change(use_case, rehearse=dry_run)


def invite(runtime: Runtime, actor: Actor, email: str, *, page_url: str) -> Invitation:
    """A one-time link for somebody who has not begun yet, who is registered if need be.

    It replaces an earlier one, and goes out by e-mail if the tenant has a mail channel. A link is
    a login, so for somebody who is registered already it needs user:manage, and all that they
    hold.
    """
    actor.demand_everywhere("user:create")
    page = page_of(page_url)

    def use_case(session: Session, outbox: Outbox) -> Invitation:
        tenant = lock_people(session, actor)
        known = _known(session, tenant, email)
        if known is not None:
            _check_waiting(known)
            actor.demand_everywhere("user:manage")
            demand_as_strong(session, actor, tenant, known)
        user = known or new_user(session, outbox, actor, email)
        user.updated_at = outbox.now
        audit_user(outbox, actor, "user.invited", user, {"registered": known is None})
        link = new_link(user, page, outbox.now)
        mailed = mail_invitation(session, outbox, runtime, actor, user, link)
        return Invitation(link, mailed)

    return runtime.change(use_case)


def look(runtime: Runtime, text: str) -> Invited:
    """Whom the link is for; InvalidInput if it is not valid (any more). Changes nothing."""
    token = _recognised(text)
    with runtime.database.reading() as session:
        user = _invited(session, token, runtime.now())
        tenant = session.get_one(Tenant, user.tenant_id)
        return Invited(user.email, tenant.name, user.accepted_at is None)


def accept(
    runtime: Runtime, text: str, *, address: str | None = None, request_id: str | None = None
) -> Accepted:
    """The link's token becomes a login session, once."""
    token = _recognised(text)

    def use_case(session: Session, outbox: Outbox) -> Accepted:
        user = _invited(session, token, outbox.now, locked=True)
        tenant = session.get_one(Tenant, user.tenant_id)
        action = "session.opened" if user.accepted_at else "user.invitation-accepted"
        user.invitation = user.invitation_until = None
        user.accepted_at = user.updated_at = outbox.now
        opened = open_session(session, user, outbox.now, tenant.session_length)
        actor = Actor(
            tenant.id, ActorKind.USER, user.email, user.id, address=address, request_id=request_id
        )
        audit_user(outbox, actor, action, user, {"by": "one-time link"})
        view = views_of(session, tenant, [user])[0]
        return Accepted(view, opened, outbox.now + tenant.session_length)

    return runtime.change(use_case)


def _recognised(text: str) -> Token:
    token = recognise(text)
    if token is None or token.kind is not TokenKind.INVITATION:
        raise InvalidInput("token", _OVER)
    return token


def _invited(session: Session, token: Token, now: datetime, *, locked: bool = False) -> User:
    """Whoever may use this link at this moment."""
    found = select(User).where(User.invitation == token.hash)
    user = session.scalar(found.with_for_update(key_share=True) if locked else found)
    ends = user.invitation_until if user else None
    if user is None or ends is None or ends <= now or not user.active:
        raise InvalidInput("token", _OVER)
    return user


def _known(session: Session, tenant: Tenant, email: str) -> User | None:
    return session.scalar(mine(User, tenant.id).where(User.email == email.lower()))


def _check_waiting(user: User) -> None:
    if not user.active:
        raise Conflict(f"{user.email} is not active: activate them first.")
    if user.accepted_at is not None:
        raise Conflict(
            f"{user.email} has accepted an invitation already; an admin can give them a personal "
            "access token."
        )


def new_link(user: User, page: SplitResult, now: datetime, life: timedelta = LINK_LIFE) -> str:
    """A link to this page by which the user begins, once; an earlier one works no more."""
    token = mint(TokenKind.INVITATION)
    user.invitation, user.invitation_until = token.hash, now + life
    query = urlencode([*parse_qsl(page.query, keep_blank_values=True), ("token", token.reveal())])
    return urlunsplit(page._replace(query=query))


def page_of(url: str, field: str = "acceptInviteClientUrl") -> SplitResult:
    """The page that the link opens, as its parts; InvalidInput names the field that it is not."""
    allowed = "give an address like https://keys.example.com/accept"
    if not url.isprintable() or " " in url or len(url) > _LONGEST_URL:
        raise InvalidInput(field, allowed)
    try:
        page = urlsplit(url)
        good = page.scheme in {"http", "https"} and page.hostname and "@" not in page.netloc
    except ValueError:
        good = False
    if not good:
        raise InvalidInput(field, allowed)
    return page
