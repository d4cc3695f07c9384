"""Verifiers without a server: what a gateway's question costs and finds, asked by hand."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import event

from core.tokens import Token
from services.verify.verification import Rejected, Verified
from services.verify.verifier import Verifier
from tests.support.world import World


@dataclass
class Asked:
    """A verifier that has looked for changes once, as one that was just started."""

    verifier: Verifier
    loop: asyncio.Runner

    def hear(self) -> None:
        """Looks for changes, as it does twice a second."""
        self.verifier.listener.poll()

    def remembers(self, token: Token | str) -> bool:
        """Whether it would answer from memory."""
        return self.verifier.recall(_token(token).hash) is not None

    def says(self, token: Token | str) -> str:
        """`good`, or why not; from memory if it can."""
        return self.loop.run(self.find(token))

    async def find(self, token: Token | str) -> str:
        """The same, for tests with a loop of their own."""
        verdict = (await self.verifier.find(_token(token))).verdict
        return verdict.reason.value if isinstance(verdict, Rejected) else "good"

    def say_together(self, tokens: Sequence[str]) -> list[str]:
        """The same of several at a time."""

        async def all_of_them() -> list[str]:
            return list(await asyncio.gather(*map(self.find, tokens)))

        return self.loop.run(all_of_them())

    def allows(self, token: Token | str, action: str, resource_type: str, fqn: str) -> bool:
        verdict = self.loop.run(self.verifier.find(_token(token))).verdict
        assert isinstance(verdict, Verified)
        held = self.loop.run(self.verifier.find_permits(verdict))
        return held.allows(action, resource_type, fqn)


def _token(token: Token | str) -> Token:
    return Token(token) if isinstance(token, str) else token


@contextmanager
def asking(world: World) -> Iterator[Asked]:
    """A verifier of its own over this world; it hears nothing but by `hear`."""
    with asyncio.Runner() as loop:
        made = Asked(Verifier(world.runtime), loop)
        made.hear()
        yield made


@contextmanager
def queries(world: World) -> Iterator[list[str]]:
    """The queries by which verifiers look something up meanwhile."""
    said: list[str] = []

    def listen(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("SELECT"):
            said.append(statement)

    engine = world.runtime.verifying.engine
    event.listen(engine, "before_cursor_execute", listen)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", listen)
