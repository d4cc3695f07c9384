"""Celery beat with its schedule in memory. Any number of them may run: ticks are harmless."""

import threading

from celery import Celery
from celery.beat import Service

from core.settings import Settings
from scheduler.schedule import ticks


class Beat:
    """Ticks until it is stopped."""

    def __init__(self, app: Celery, settings: Settings) -> None:
        app.conf.beat_schedule = ticks(settings)
        self._service = Service(
            app,
            max_interval=settings.tick.total_seconds(),
            scheduler_cls="celery.beat:Scheduler",
        )
        self._thread = threading.Thread(target=self._service.start, name="beat", daemon=True)

    def start(self) -> None:
        """Returns at once; ticks in a thread."""
        self._thread.start()

    def stop(self) -> None:
        self._service.stop()
        self._thread.join(5)
