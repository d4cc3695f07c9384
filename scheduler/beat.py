"""Celery beat with its schedule in memory. Any number of them may run: ticks are harmless."""

import threading
from typing import Self

from celery.beat import Service

from core.settings import Settings
from scheduler.schedule import ticks
from workers.app import make_app


class Beat:
    """Ticks until it is stopped."""

    def __init__(self, settings: Settings) -> None:
        app = make_app(settings)
        app.conf.beat_schedule = ticks(settings)
        self._service = Service(
            app,
            max_interval=settings.tick.total_seconds(),
            scheduler_cls="celery.beat:Scheduler",
        )
        self._thread = threading.Thread(target=self._service.start, name="beat", daemon=True)

    def __enter__(self) -> Self:
        """Returns at once; ticks in a thread."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._service.stop()
        self._thread.join(5)
