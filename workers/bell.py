"""The bell over Celery: a thread of its own publishes, so that no caller ever waits for it."""

import threading
from collections.abc import Iterable
from uuid import UUID

import structlog
from celery import Celery

from core.clock import boot_seconds
from workers.app import LANES, ROTATE, TROUBLED

log = structlog.get_logger(__name__)

_HUSHED = 5.0  # seconds without a try after the broker did not answer
_EXPIRES = 5.0  # seconds after which a bell is stale: a tick has found the rows


class CeleryBell:
    """Rings by sending tasks. What is rung while the broker is away is forgotten."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._rung: dict[tuple[str, str], None] = {}
        self._wake = threading.Condition()
        self._closing = False
        self._hushed_until = 0.0
        self._thread = threading.Thread(target=self._publish, name="bell", daemon=True)
        self._thread.start()

    def ring_lanes(self, lanes: Iterable[UUID], *, troubled: bool = False) -> None:
        self._ring([(TROUBLED if troubled else LANES, str(lane)) for lane in lanes])

    def ring_rotation(self) -> None:
        self._ring([(ROTATE, "")])

    def close(self, within: float = 0.1) -> None:
        """Publishes what was rung, for at most `within` seconds; then rings no more."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join(within)

    def _ring(self, rings: list[tuple[str, str]]) -> None:
        if not rings or boot_seconds() < self._hushed_until:
            return
        with self._wake:
            self._rung.update(dict.fromkeys(rings))
            self._wake.notify()

    def _publish(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._rung or self._closing)
                rings, self._rung = list(self._rung), {}
                closing = self._closing
            try:
                for queue, lane in rings:
                    self._send(queue, lane)
            except Exception as error:  # noqa: BLE001 - ringing is best effort (law 1)
                self._hushed_until = boot_seconds() + _HUSHED
                log.warning("bell.hushed", error=type(error).__name__)
            if closing:
                return

    def _send(self, queue: str, lane: str) -> None:
        name = "keyturn.drain" if lane else "keyturn.rotate"
        kwargs = {"lane": lane, "troubled": queue == TROUBLED} if lane else {}
        self._app.send_task(
            name, kwargs=kwargs, queue=queue, expires=_EXPIRES, retry=False, ignore_result=True
        )
