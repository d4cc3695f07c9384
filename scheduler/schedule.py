"""When, never how: beat's handful of fixed ticks. There is no entry per account."""

from typing import Any

from core.settings import Settings
from workers.app import HOUSEKEEPING, LANES, ROTATE

_MINUTE, _HOUR = 60.0, 3_600.0


def ticks(settings: Settings) -> dict[str, dict[str, Any]]:
    """Celery's beat_schedule. A tick is stale after its period: the next one sees the same rows."""
    period = settings.tick.total_seconds()
    return {
        "rotate": _tick("keyturn.rotate", ROTATE, period),
        "sweep": _tick("keyturn.sweep", LANES, period),
        "expire": _tick("keyturn.expire", HOUSEKEEPING, period),
        "chain": _tick("keyturn.chain", HOUSEKEEPING, period),
        "check": _tick("keyturn.check", HOUSEKEEPING, _MINUTE),
        "prune": _tick("keyturn.prune", HOUSEKEEPING, _HOUR),
    }


def _tick(task: str, queue: str, period: float) -> dict[str, Any]:
    return {
        "task": task,
        "schedule": period,
        "options": {"queue": queue, "expires": period, "retry": False, "ignore_result": True},
    }
