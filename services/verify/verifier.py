"""Verification for gateways: from memory where it can be believed, else looked up with others."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.actors import ActorKind
from core.roles import Permits, Resource
from core.tokens import Token, TokenKind
from models import AccountState, Team, Tenant, VirtualAccount
from services.access.permits import permits_of_account, permits_of_user
from services.identity.provider_keys import PATIENCE, Wanted
from services.runtime import Runtime
from services.verify.gathering import Apart, Gathering
from services.verify.listening import Listener
from services.verify.verification import Found, Reason, Verified, look_up, look_up_jwt
from services.verify.verify_cache import Entry, Hearing, Memory

_MOST = 500  # hashes in one query
_MOST_SUBJECTS = 100
_JWT_THREADS = 4  # an identity provider may be slow
_REFUSALS_KEPT = 2.0  # seconds
_MACHINE = "virtual-account"


class Answer(Entry):
    """What a token is. `ready` is for whoever answers: the bytes that it made of it."""

    __slots__ = ("ready", "until", "verdict")

    def __init__(self, number: int, began: float, found: Found) -> None:
        super().__init__(number, began, found.subjects)
        self.verdict = found.verdict
        self.until = found.until
        self.ready: dict[str, Any] | None = None


class Held(Entry):
    """What a subject may do. `owned`: which virtual accounts its teams own, and which team."""

    __slots__ = ("owned", "permits")

    def __init__(
        self, number: int, began: float, subjects: Sequence[UUID], permits: Permits
    ) -> None:
        super().__init__(number, began, subjects)
        self.permits = permits
        self.owned: Mapping[str, str] = {}

    def allows(self, action: str, resource_type: str, fqn: str) -> bool:
        """Whether a grant allows this action on this resource."""
        team = self.owned.get(fqn) if resource_type == _MACHINE else None
        return self.permits.allow(action, Resource(resource_type, fqn, team))


@dataclass(frozen=True)
class _Whose:
    tenant_id: UUID
    kind: ActorKind
    id: UUID


class Verifier:
    """One process's; for one event loop. It believes its memory while `listener` listens.

    Opens nothing by itself.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        clock, settings = runtime.clock, runtime.settings
        most, ttl = settings.verify_capacity, settings.verify_ttl.total_seconds()
        self._hearing = hearing = Hearing(clock, ttl)
        self.listener = Listener(runtime, hearing)
        self.good: Memory[Answer] = Memory(hearing, clock, capacity=most, ttl=ttl)
        self.bad: Memory[Answer] = Memory(hearing, clock, capacity=most // 10, ttl=_REFUSALS_KEPT)
        self.held: Memory[Held] = Memory(hearing, clock, capacity=most // 10, ttl=ttl)
        self._tokens = Gathering(self._look_up, most=_MOST)
        self._jwts = Apart(self._look_up_jwt, threads=_JWT_THREADS, most=_MOST)
        self._jwts_again = Apart(self._look_up_jwt_again, threads=_JWT_THREADS, most=_MOST)
        self._subjects = Gathering(self._read_permits, most=_MOST_SUBJECTS)

    def recall(self, token_hash: bytes) -> Answer | None:
        """The answer for the token of this hash, if it is known and holds at this moment."""
        answer = self.good.get(token_hash)
        if answer is None:
            return self.bad.get(token_hash)
        if answer.until is not None and answer.until <= self._runtime.clock.now():
            self.good.forget(token_hash)
            return None
        return answer

    async def find(self, token: Token) -> Answer:
        """The same, looked up if need be; Unready if that is not possible now."""
        token_hash = token.hash
        answer = self.recall(token_hash)
        if answer is None:
            is_jwt = token.kind is TokenKind.JWT
            answer = await (self._find_jwt(token) if is_jwt else self._tokens.find(token))
            if isinstance(answer.verdict, Verified):
                self.good.put(token_hash, answer)
            elif answer.verdict.reason is not Reason.UNKNOWN_KEY:  # another JWT may fetch it
                self.bad.put(token_hash, answer)
        return answer

    async def _find_jwt(self, token: Token) -> Answer:
        """An identity provider's keys are waited for here, where that holds up no thread."""
        answer = await self._jwts.find(token)
        if isinstance(answer, Wanted):
            await asyncio.wait((asyncio.wrap_future(answer.fetching),), timeout=PATIENCE)
            answer = await self._jwts_again.find(token)
        return answer

    def recall_permits(self, verified: Verified) -> Held | None:
        """What the bearer may do, if that is known."""
        return self.held.get(verified.subject_id)

    async def find_permits(self, verified: Verified) -> Held:
        """The same, read if need be; Unready if that is not possible now."""
        held = self.recall_permits(verified)
        if held is None:
            whose = _Whose(verified.tenant_id, verified.kind, verified.subject_id)
            held = await self._subjects.find(whose)
            self.held.put(verified.subject_id, held)
        return held

    def _look_up(self, tokens: Sequence[Token]) -> dict[Token, Answer]:
        number, began = self._hearing.number, self._runtime.clock.elapsed()
        with self._runtime.verifying.reading() as session:
            found = look_up(session, tokens, self._runtime.now())
        return {token: Answer(number, began, found[token.hash]) for token in tokens}

    def _look_up_jwt(self, token: Token) -> Answer | Wanted:
        number, began = self._hearing.number, self._runtime.clock.elapsed()
        found = look_up_jwt(self._runtime, token)
        return found if isinstance(found, Wanted) else Answer(number, began, found)

    def _look_up_jwt_again(self, token: Token) -> Answer:
        number, began = self._hearing.number, self._runtime.clock.elapsed()
        found = look_up_jwt(self._runtime, token, waited=True)
        assert isinstance(found, Found)
        return Answer(number, began, found)

    def _read_permits(self, subjects: Sequence[_Whose]) -> dict[_Whose, Held]:
        number, began = self._hearing.number, self._runtime.clock.elapsed()
        read: dict[_Whose, Held] = {}
        with self._runtime.verifying.reading() as session:
            for whose in subjects:
                tenant = session.get_one(Tenant, whose.tenant_id)
                is_user = whose.kind is ActorKind.USER
                permits_of = permits_of_user if is_user else permits_of_account
                permits = permits_of(session, tenant, whose.id)
                teams = _teams(session, tenant, permits)
                held = Held(number, began, (whose.id, whose.tenant_id, *teams), permits)
                held.owned = _owned(session, tenant, teams)
                read[whose] = held
        return read


def _teams(session: Session, tenant: Tenant, permits: Permits) -> dict[UUID, str]:
    """The teams that something is granted on: that reaches the accounts that they own."""
    names = {
        grant.resource_fqn.removeprefix("team:")
        for grant in permits.grants
        if grant.resource_type == "team"
    }
    if not names or permits.is_admin:
        return {}
    rows = select(Team.id, Team.name).where(Team.tenant_id == tenant.id, Team.name.in_(names))
    return dict(session.execute(rows).all())


def _owned(session: Session, tenant: Tenant, teams: Mapping[UUID, str]) -> dict[str, str]:
    """The living virtual accounts of these teams, with the team of each."""
    if not teams:
        return {}
    rows = session.execute(
        select(VirtualAccount.name, VirtualAccount.team_id).where(
            VirtualAccount.tenant_id == tenant.id,
            VirtualAccount.team_id.in_(teams),
            VirtualAccount.state != AccountState.DELETED,
        )
    )
    return {f"virtualaccount:{account}": teams[team_id] for account, team_id in rows if team_id}
