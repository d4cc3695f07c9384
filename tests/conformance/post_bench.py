"""What the benches share of channels that are told by an HTTP POST: a double behind TLS."""

import ssl
from datetime import timedelta
from typing import Any, ClassVar

import trustme

from core.errors import DestinationRefused, KeyturnError, Transient
from core.plugins import Ports
from notifiers.base import Notifier
from tests.conformance.notifier_bench import Bench, Expected, another_authority
from tests.support.http_double import HttpDouble


class PostBench(Bench):
    """Its misfortunes befall the call by which a notice is told."""

    telling: ClassVar[str] = "POST *"
    double: HttpDouble

    def __init__(self) -> None:
        super().__init__()
        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        self.ca_pem = authority.cert_pem.bytes().decode()
        self.double = self.make(context)
        self._open.enter_context(self.double)

    def make(self, tls: ssl.SSLContext) -> HttpDouble:
        raise NotImplementedError

    def trusted(self, auth_data: dict[str, Any]) -> dict[str, Any]:
        return {"auth_data": auth_data, "ca_bundle": self.ca_pem, "timeout": 5}

    def throttled(self) -> Expected:
        self.double.fault(self.telling, status=429, headers={"Retry-After": "7"})
        return Expected(Transient, retry_after=timedelta(seconds=7), throttled=True)

    def unavailable(self) -> Expected:
        self.double.fault(self.telling, status=503)
        return Expected(Transient)

    def silent(self) -> Expected:
        self.double.fault(self.telling, hang=True)
        return Expected(Transient, changes={"timeout": 0.2})

    def refusing_connections(self) -> Expected:
        self.double.stop()
        return Expected(Transient)

    def answer_lost(self) -> Expected:
        self.double.fault(self.telling, lose_answer=True)
        return Expected(Transient, arrives=True)

    def untrusted_certificate(self) -> Expected:
        return Expected(DestinationRefused, changes={"ca_bundle": another_authority()})

    def recover(self) -> None:
        self.double.stop()
        self.double.clear()
        self.double.start()

    def failing_checks(self) -> list[tuple[Notifier, Ports, type[KeyturnError]]]:
        nobody = self.config()["auth_data"]
        for name, value in nobody.items():
            nobody[name] = value.replace(f":{self.double.port}", ":1")
        return [
            (self.notifier(**self.untrusted_certificate().changes), self.ports, DestinationRefused),
            (self.notifier(auth_data=nobody), self.ports, Transient),
        ]
