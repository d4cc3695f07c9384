"""Celery, wired: queues, settings, and tasks that translate one call each.

The database is the truth and Celery is a bell (law 1): no retries, no results, early acks.
A task carries ids only, and a lost message costs one tick.
"""

from typing import Any
from uuid import UUID

from celery import Celery
from kombu.entity import Exchange, Queue

from core.settings import Settings
from workers.crew import Crew

ROTATE, LANES, TROUBLED, HOUSEKEEPING = "rotate", "lanes", "troubled", "housekeeping"
QUEUES = (ROTATE, LANES, TROUBLED, HOUSEKEEPING)


def make_app(settings: Settings) -> Celery:
    """A Celery app for this broker; it opens no connection until it is used."""
    app = Celery("keyturn", broker=settings.broker, set_as_current=False)
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_acks_late=False,
        task_create_missing_queues=False,
        task_default_queue=HOUSEKEEPING,
        task_queues=[_queue(name) for name in QUEUES],
        worker_prefetch_multiplier=1,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_pool_limit=4,
        broker_transport_options=_transport(settings.broker),
        broker_connection_timeout=2,
    )
    return app


def register(app: Celery, crew: Crew) -> None:
    """The tasks. Names and arguments stay readable for one release (law 8).

    In pool threads Celery looks tasks up in the default app, whichever app received them: so
    only an app with these tasks may be the default, and there is one crew in a process.
    """

    @app.task(name="keyturn.rotate", shared=False)
    def rotate() -> None:
        crew.rotate()

    @app.task(name="keyturn.sweep", shared=False)
    def sweep() -> None:
        crew.pulse.hear_tick()
        crew.sweep()

    @app.task(name="keyturn.drain", shared=False)
    def drain(lane: str, troubled: bool = False) -> None:
        crew.drain(UUID(lane), troubled=troubled)

    @app.task(name="keyturn.expire", shared=False)
    def expire() -> None:
        crew.expire()

    @app.task(name="keyturn.check", shared=False)
    def check() -> None:
        crew.check()

    @app.task(name="keyturn.chain", shared=False)
    def chain() -> None:
        crew.chain()

    @app.task(name="keyturn.prune", shared=False)
    def prune() -> None:
        crew.prune()

    app.finalize()
    app.set_default()


def _queue(name: str) -> Queue:
    """Bells that nobody hears must not fill the broker; the next tick finds the rows."""
    return Queue(name, Exchange(name), routing_key=name, queue_arguments={"x-max-length": 1_000})


def _transport(broker: str) -> dict[str, Any]:
    if broker.startswith("memory://"):
        return {"polling_interval": 0.02}
    if broker.startswith(("redis://", "rediss://")):
        return {"socket_connect_timeout": 2, "socket_timeout": 10, "socket_keepalive": True}
    return {}
