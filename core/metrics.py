"""What one process counts of its own work, for Prometheus: no label ever names a tenant's thing."""

from collections import Counter as tally  # noqa: N813 - beside Prometheus's
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, Metric

from core.events import EventType

_SENDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_REQUESTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Counters in memory, from the process's start; docs/metrics.md names them all."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._events = Counter(
            "keyturn_events", "Facts that this process recorded.", ["type"], registry=self.registry
        )
        self._sends = Histogram(
            "keyturn_send_seconds",
            "How long sends to stores and channels took, by how they ended.",
            ["kind", "action", "result"],
            buckets=_SENDS,
            registry=self.registry,
        )
        self._requests = Histogram(
            "keyturn_request_seconds",
            "How long calls of the API took, verification apart.",
            ["method", "route", "status"],
            buckets=_REQUESTS,
            registry=self.registry,
        )
        # By surface and result; a call of verify is answered in 50 µs, of which a Counter takes 2.
        self._verifications: tally[tuple[str, str]] = tally()
        self.registry.register(_Verifications(self._verifications))

    def told(self, events: Iterable[EventType]) -> None:
        """These facts were committed."""
        for event, count in tally(events).items():
            self._events.labels(event.value).inc(count)

    def sent(self, kind: str, action: str, result: str, seconds: float) -> None:
        """One send ended so."""
        self._sends.labels(kind, action, result).observe(seconds)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """One call of the API was answered; `route` is its template, never its path."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def verified(self, surface: str, result: str) -> None:
        """A token was good, may not do what was asked (`forbidden`), or why it is not good.

        Called by one thread, the one that answers.
        """
        self._verifications[surface, result] += 1


class _Verifications:
    """What was counted without a lock, as Prometheus reads it."""

    def __init__(self, counted: Mapping[tuple[str, str], int]) -> None:
        self._counted = counted

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(
            "keyturn_verifications",
            "Tokens that were asked about, where, and what they turned out to be.",
            labels=["surface", "result"],
        )
        for labels, count in list(self._counted.items()):
            family.add_metric(labels, count)
        yield family
