"""Device logins: a client without a browser waits while its user says yes elsewhere.

The client gets a long code for itself and a short one for its user, who approves it with a
bearer of their own; then the client's code opens one session, once.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from core.actors import Actor, ActorKind
from core.errors import Forbidden, InvalidInput, NotFound, Unready
from core.ids import new_id
from core.tokens import Token, TokenKind, mint, recognise
from models import DeviceLogin, PersonalAccessToken, Tenant, User
from services.outbox import Outbox
from services.people.sessions import audit_login, open_session, own_session
from services.runtime import Runtime
from services.scope import mine

LENGTH = timedelta(minutes=10)
MOST_OPEN = 1_000  # in one tenant: anybody may begin a login
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, no digits: neither words nor look-alikes
_HALF = 4
_ENDED = "this login is unknown, used, or has ended: begin again"


@dataclass(frozen=True)
class Begun:
    """A login that waits. The device code is shown this once."""

    device_code: Token
    user_code: str


def begin_login(runtime: Runtime, tenant_name: str) -> Begun:
    """A login that waits for its user's word; nobody's yet, so the audit log has no line of it.

    Unready while too many wait.
    """
    device_code = mint(TokenKind.DEVICE)
    code = "".join(secrets.choice(_LETTERS) for _ in range(2 * _HALF))

    def use_case(session: Session, outbox: Outbox) -> None:
        tenant = _tenant(session, tenant_name)
        waiting = mine(DeviceLogin, tenant.id).where(DeviceLogin.expires_at > outbox.now)
        if (session.scalar(select(func.count()).select_from(waiting.subquery())) or 0) >= MOST_OPEN:
            raise Unready("Too many logins wait to be approved: try again in some minutes.")
        session.add(
            DeviceLogin(
                tenant_id=tenant.id,
                id=new_id(),
                user_code=code,
                device_hash=device_code.hash,
                created_at=outbox.now,
                expires_at=outbox.now + LENGTH,
            )
        )

    runtime.change(use_case)
    return Begun(device_code, f"{code[:_HALF]}-{code[_HALF:]}")


def approve_login(runtime: Runtime, actor: Actor, user_code: str) -> None:
    """The login with this code becomes the actor's; a second word of theirs changes nothing.

    Only a person logs in. What a personal access token approves ends with that token.
    """
    code = "".join(letter for letter in user_code.upper() if letter in _LETTERS)

    def use_case(session: Session, outbox: Outbox) -> None:
        if actor.kind is not ActorKind.USER:
            raise Forbidden("Only a person can approve a login.")
        login = session.scalar(
            mine(DeviceLogin, actor.tenant_id)
            .where(DeviceLogin.user_code == code, DeviceLogin.expires_at > outbox.now)
            .with_for_update()
        )
        if login is None or login.user_id not in {None, actor.id}:
            raise InvalidInput("userCode", _ENDED)
        if login.user_id is not None:
            return
        made_with = _made_with(session, actor)
        login.user_id = actor.id
        login.personal_access_token_id = made_with
        login.approved_at = outbox.now
        outbox.audit(
            actor,
            "device-login.approved",
            subject_type="user",
            subject_id=actor.id,
            subject_name=actor.name,
        )

    runtime.change(use_case)


def finish_login(
    runtime: Runtime,
    tenant_name: str,
    device_code: str,
    *,
    address: str | None = None,
    request_id: str | None = None,
) -> Token | None:
    """The token of the session that the login opens, once; None while nobody has approved it."""
    code = recognise(device_code)
    if code is None or code.kind is not TokenKind.DEVICE:
        raise InvalidInput("deviceCode", _ENDED)
    with runtime.database.reading() as session:  # clients ask every second: no transaction yet
        login = _waiting(session, _tenant(session, tenant_name), code)
        if login is not None and login.approved_at is None and login.expires_at > runtime.now():
            return None

    def use_case(session: Session, outbox: Outbox) -> Token:
        tenant = _tenant(session, tenant_name)
        login = _waiting(session, tenant, code, locked=True)
        if login is None or login.approved_at is None or login.expires_at <= outbox.now:
            raise InvalidInput("deviceCode", _ENDED)
        user = session.get_one(User, (login.user_id, tenant.id))
        made_with = login.personal_access_token_id
        if not user.active or not _works(session, login, outbox):
            raise InvalidInput("deviceCode", _ENDED)
        token = open_session(session, user, outbox.now, tenant.session_length, made_with)
        session.delete(login)
        detail = {"by": "device login"}
        audit_login(outbox, user, detail, address=address, request_id=request_id)
        return token

    return runtime.change(use_case)


def _made_with(session: Session, actor: Actor) -> UUID | None:
    """The personal access token that the actor calls with, or logged in with."""
    if own := own_session(session, actor):
        return own.personal_access_token_id
    return actor.token_id if actor.with_personal_token else None


def _tenant(session: Session, name: str) -> Tenant:
    tenant = session.scalar(select(Tenant).where(Tenant.name == name))
    if tenant is None:
        raise NotFound("tenant", name)
    return tenant


def _waiting(
    session: Session, tenant: Tenant, code: Token, *, locked: bool = False
) -> DeviceLogin | None:
    login = mine(DeviceLogin, tenant.id).where(DeviceLogin.device_hash == code.hash)
    return session.scalar(login.with_for_update() if locked else login)


def _works(session: Session, login: DeviceLogin, outbox: Outbox) -> bool:
    """Whether the token that approved it, if it was one, still works."""
    if login.personal_access_token_id is None:
        return True
    key = (login.personal_access_token_id, login.tenant_id)
    return session.get_one(PersonalAccessToken, key).is_valid(outbox.now)
