"""How Azure is called: through checked connections, each call one try within a send's deadline."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Self, TypeVar

from azure.core.pipeline.transport import RequestsTransport

from core.dial import Dialer
from core.errors import Transient
from sinks.azure.errors import UNANSWERED, understood
from sinks.deadline import Deadline, asked_to_wait

T = TypeVar("T")

# For every client of Azure: no retries of its own, no redirects.
ONE_TRY: dict[str, Any] = {
    "retry_total": 0,
    "retry_status": 0,
    "permit_redirects": False,
}
_deadline: ContextVar[Deadline] = ContextVar("deadline")


class Timed(RequestsTransport):  # type: ignore[misc] # azure-core finds it when asked
    """Starts no call that could end after the send it belongs to; knows no proxy of its own.

    Without a dialer it connects by itself: to the host's own metadata service, nothing else.
    """

    def __init__(
        self, timeout: float, dialer: Dialer | None = None, trusted: str | None = None
    ) -> None:
        session = {"session": dialer.session()} if dialer else {}
        super().__init__(
            use_env_settings=False,
            connection_timeout=timeout / 3,
            read_timeout=timeout * 2 / 3,
            connection_verify=trusted or True,
            **session,
        )

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        """Many short-lived clients share it; whoever made it closes it."""

    def send(self, request: Any, **how: Any) -> Any:
        _deadline.get().start_call()
        request.headers["User-Agent"] = "keyturn"  # theirs tells of the host
        return super().send(request, **how)


class TimedLogin(Timed):
    """The same for calls that get a token: Azure's clients lose how these were refused."""

    def send(self, request: Any, **how: Any) -> Any:
        answer = super().send(request, **how)
        asked = asked_to_wait(answer.headers)
        if answer.status_code == 429:  # noqa: PLR2004 - too many requests
            raise Transient("Microsoft Entra throttles logins.", retry_after=asked, throttled=True)
        if answer.status_code == 410 or answer.status_code >= 500:  # noqa: PLR2004 - out of order
            raise Transient(f"Microsoft Entra answers {answer.status_code}.", retry_after=asked)
        return answer


def invoke(deadline: Deadline, called: str, operation: Callable[[], T]) -> T:
    """Calls. Refused is Key Vault's answer; what kept it from answering is Transient or Permanent.

    Ours is raised outside the handler of the original, which may quote what was sent.
    """
    failure: Exception
    try:
        with _within(deadline):
            return operation()
    except UNANSWERED as error:
        failure = understood(called, error)
    raise failure


@contextmanager
def _within(deadline: Deadline) -> Iterator[None]:
    before = _deadline.set(deadline)
    try:
        yield
    finally:
        _deadline.reset(before)
