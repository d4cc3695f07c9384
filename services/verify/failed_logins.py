"""Failed logins, limited per address and per token without locking out anybody else.

What cannot be a token costs nothing and is always refused. A well-formed token is looked up;
if that fails too often, the next ones from the same address are answered with 429 and not
looked up. Tokens that worked here lately always are: being on that list spares the limit, never
the look-up. A token that was good once counts against itself alone, so that one forgotten
consumer does not use up what its neighbours behind the same address have.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from core.addresses import as_one
from core.errors import InvalidInput, Throttled, Unauthenticated
from core.throttle import Recent, Throttle
from core.tokens import Token, recognise
from services.runtime import Runtime
from services.verify.verification import Reason, Rejected, Verified, verify

_PERIOD = 60.0  # seconds
_KEYS = 20_000
# What was never good, anywhere.
_GUESSED = {Reason.UNKNOWN, Reason.UNKNOWN_KEY, Reason.WRONG_SIGNATURE}


class FailedLogins:
    """What this process knows of them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._good = Recent(capacity=_KEYS)
        most = runtime.settings.failed_logins
        self._by_address = Throttle(most=most, period=_PERIOD, capacity=_KEYS)
        self._by_prefix = Throttle(most=most, period=_PERIOD, capacity=_KEYS)
        self._begun = Throttle(most=most, period=_PERIOD, capacity=_KEYS)

    def verify(self, text: str | None, address: str | None) -> Verified | Rejected:
        """Verifies a bearer token; Throttled where too many from there have failed."""
        token = recognise(text or "")
        if token is None:
            return verify(self._runtime, text)
        self.admit(token, address)
        answer = verify(self._runtime, text)
        self.remember(token, answer, address)
        return answer

    def admit(self, token: Token, address: str | None, *, per_token: bool = True) -> None:
        """Throttled unless this token may be looked up for somebody there."""
        if token.hash not in self._good:
            prefix = token.stem if per_token else None
            self._admit(as_one(address) if address else None, prefix)

    def remember(
        self,
        token: Token,
        answer: Verified | Rejected,
        address: str | None,
        *,
        per_token: bool = True,
    ) -> None:
        """Counts what came of it."""
        customer = as_one(address) if address else None
        prefix = token.stem if per_token else None
        self._remember(token, answer, customer, prefix)

    @contextmanager
    def attempt(self, address: str | None) -> Iterator[None]:
        """A login by something else than a bearer token: one that is refused counts as failed."""
        self.admit_from(address)
        try:
            yield
        except (InvalidInput, Unauthenticated):
            self.refused(address)
            raise

    def admit_from(self, address: str | None) -> None:
        """Throttled where too many logins from there have failed."""
        self._admit(as_one(address) if address else None, None)

    def refused(self, address: str | None) -> None:
        """A login from there has failed."""
        if address:
            self._by_address.count(as_one(address), self._runtime.clock.elapsed())

    def begin(self, address: str | None) -> None:
        """A login that anybody may begin: Throttled where too many from there were begun."""
        if address:
            customer, now = as_one(address), self._runtime.clock.elapsed()
            if (wait := self._begun.wait(customer, now)) > 0:
                raise Throttled(wait)
            self._begun.count(customer, now)

    def _admit(self, customer: Hashable | None, prefix: Hashable | None) -> None:
        now = self._runtime.clock.elapsed()
        wait = max(
            self._by_address.wait(customer, now) if customer else 0,
            self._by_prefix.wait(prefix, now) if prefix else 0,
        )
        if wait > 0:
            raise Throttled(wait)

    def _remember(
        self,
        token: Token,
        answer: Verified | Rejected,
        customer: Hashable | None,
        prefix: Hashable | None,
    ) -> None:
        if isinstance(answer, Verified):
            self._good.add(token.hash)
            return
        self._good.forget(token.hash)
        now = self._runtime.clock.elapsed()
        if customer and answer.reason in _GUESSED:
            self._by_address.count(customer, now)
        if prefix:
            self._by_prefix.count(prefix, now)
