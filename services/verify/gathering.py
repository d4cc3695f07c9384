"""Questions that come one by one and are asked together: so the cost of a flood is bounded."""

import asyncio
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

import structlog
from sqlalchemy.exc import OperationalError, TimeoutError  # noqa: A004 - the pool's own

from core.errors import Unready

log = structlog.get_logger(__name__)

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

_GATHERED_FOR = 0.001  # seconds
_PATIENCE = 3.0  # seconds, then whoever waits is told to come back
_AWAY = "The database does not answer."
_BUSY = "Too much is being looked up at this moment."


class _Waiting(Generic[Key, Answer]):
    """Who waits for which key; each key is asked for once, and at most `most` of them wait."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: dict[Key, asyncio.Future[Answer | Exception]] = {}

    async def find(self, key: Key) -> Answer:
        """The answer; Unready if too many wait, or none came in time."""
        waiting = self._waiting.get(key)
        if waiting is None:
            if len(self._waiting) >= self._most:
                raise Unready(_BUSY)
            waiting = self._waiting[key] = asyncio.get_running_loop().create_future()
            self._begin(key)
        done, _ = await asyncio.wait((waiting,), timeout=_PATIENCE)
        if not done:
            raise Unready(_AWAY)
        answer = waiting.result()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _begin(self, key: Key) -> None:
        raise NotImplementedError


class Gathering(_Waiting[Key, Answer]):
    """Asks for all keys of a millisecond at once, in a thread, and never twice at a time.

    More keys wait while others are asked for; for one event loop.
    """

    def __init__(self, ask: Callable[[Sequence[Key]], Mapping[Key, Answer]], *, most: int) -> None:
        super().__init__(most)
        self._ask = ask
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gathering")
        self._asking: asyncio.Task[None] | None = None

    def _begin(self, _key: Key) -> None:
        if self._asking is None:
            self._asking = asyncio.create_task(self._run())

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                await asyncio.sleep(_GATHERED_FOR)
                batch, self._waiting = self._waiting, {}
                answers = await loop.run_in_executor(self._thread, self._answers, list(batch))
                for key, waiting in batch.items():
                    waiting.set_result(answers[key])
        finally:
            self._asking = None

    def _answers(self, keys: Sequence[Key]) -> Mapping[Key, Answer | Exception]:
        answers = _answer(lambda: self._ask(keys))
        return dict.fromkeys(keys, answers) if isinstance(answers, Exception) else {**answers}


class Apart(_Waiting[Key, Answer]):
    """Asks for each key by itself, in a few threads: one that is slow does not hold up the rest."""

    def __init__(self, ask: Callable[[Key], Answer], *, threads: int, most: int) -> None:
        super().__init__(most)
        self._ask = ask
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="apart")

    def _begin(self, key: Key) -> None:
        asked = asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: _answer(lambda: self._ask(key))
        )
        waiting = self._waiting[key]

        def tell(done: asyncio.Future[Answer | Exception]) -> None:
            self._waiting.pop(key, None)
            if not done.cancelled():
                waiting.set_result(done.result())

        asked.add_done_callback(tell)


def _answer(ask: Callable[[], Answer]) -> Answer | Exception:
    try:
        return ask()
    except (OperationalError, TimeoutError) as error:
        log.warning("database.away", error=type(error).__name__)
        return Unready(_AWAY)
    except Exception as error:  # noqa: BLE001 - raised where the answer is waited for
        return error
