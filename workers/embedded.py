"""A worker inside this process: Celery's consumers in threads, each with its own queues.

Rotation, healthy lanes and troubled lanes have threads of their own, so that a dead store
delays neither a rotation nor another lane (law 11).
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

import structlog
from celery import _state as celery_state
from celery.platforms import EX_OK
from celery.worker import state as worker_state
from kombu.asynchronous import set_event_loop

from core.bell import SilentBell
from services.operation.pulse import Pulse
from services.runtime import Runtime
from workers.app import HOUSEKEEPING, LANES, ROTATE, TROUBLED, make_app, register
from workers.bell import CeleryBell
from workers.crew import Crew
from workers.pacemaker import Pacemaker

log = structlog.get_logger(__name__)

_STOP_WITHIN = 10.0


class Worker:
    """Consumes every queue of one broker until it is stopped."""

    def __init__(self, runtime: Runtime, pulse: Pulse) -> None:
        self.crew = Crew(runtime, pulse)
        threads = runtime.settings.worker_threads
        self._consumers = [
            _Consumer(self.crew, [ROTATE, HOUSEKEEPING], 2),
            _Consumer(self.crew, [LANES], threads),
            _Consumer(self.crew, [TROUBLED], max(threads // 4, 2)),
        ]
        self._pacemaker = Pacemaker(self.crew)

    def __enter__(self) -> Self:
        """Returns at once; what the broker holds is consumed as soon as it answers."""
        for consumer in self._consumers:
            consumer.start()
        self._pacemaker.start()
        # The consumers forbid waiting for results in the whole process; nothing here does.
        celery_state._set_task_join_will_block(blocks=False)  # noqa: SLF001
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends drains at their next settle and stops consuming; within some ten seconds."""
        self.crew.stop.set()
        # Each consumer sees this in its own loop and ends there; stopping it from here would
        # close its connection while it reads.
        worker_state.should_stop = EX_OK
        for consumer in self._consumers:
            consumer.join()
        worker_state.should_stop = None
        self._pacemaker.join(_STOP_WITHIN)


class _Consumer:
    """One of Celery's worker controllers, in a thread.

    Each has an app of its own: which queues are consumed is a property of the app.
    """

    def __init__(self, crew: Crew, queues: list[str], threads: int) -> None:
        app = make_app(crew.runtime.settings)
        register(app, crew)
        self._name = "-".join(queues)
        # Kombu keeps one event loop per process and would run all consumers' sockets in it,
        # from several threads: each consumer is made to make its own.
        set_event_loop(None)
        self._controller = app.WorkController(
            app=app,
            pool_cls="threads",
            concurrency=threads,
            queues=queues,
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self) -> None:
        self._thread.join(_STOP_WITHIN)

    def _run(self) -> None:
        try:
            self._controller.start()
        except Exception:
            log.exception("consumer.died", queues=self._name)


@contextmanager
def ringing(runtime: Runtime) -> Iterator[None]:
    """The runtime rings over its broker while this is entered."""
    bell = CeleryBell(make_app(runtime.settings))
    runtime.bell = bell
    try:
        yield
    finally:
        runtime.bell = SilentBell()
        bell.close()
