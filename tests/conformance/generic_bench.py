"""The counterpart of the sink for any store over HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import PATH, ServiceBench
from tests.support.generic_double import API_KEY, GenericDouble


@dataclass
class GenericBench(ServiceBench):
    """A store that has all that the documentation speaks of."""

    kind = "custom/generic"
    page = "generic.md"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": "its headers are fixed",
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its mark are one call: before it, nothing there is Keyturn's yet"
        ),
    }
    bad_paths = ("", "/", "..", "a/../b", "a/./b", "a\0b")
    retry_after = 7.0
    credentials = (API_KEY,)
    double: GenericDouble = field(default_factory=GenericDouble)

    def finish(self) -> None:
        super().finish()
        self.double.reset()

    def config(self) -> dict[str, Any]:
        auth = {"type": "header", "headers": {"X-Api-Key": API_KEY}}
        return {"base_url": self.double.base_url, "root_path": "keyturn", "auth_data": auth}

    def history(self, path: str = PATH) -> list[Any]:
        secret = self.double.secrets.get(f"keyturn/{path}")
        return list(secret.values) if secret else []

    def stored(self, path: str = PATH) -> str | None:
        secret = self.double.secrets.get(f"keyturn/{path}")
        return secret.value if secret else None

    def write_foreign(self, path: str = PATH) -> None:
        self.double.write(f"keyturn/{path}", "foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.denied.add(f"keyturn/{path}")

    def interrupt(self) -> None:
        self.double.fault("PUT *", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("PUT *", lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=500)

    def refuse_size(self) -> int:
        return self.double.largest + 1

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"type": "header", "headers": {"X-Api-Key": "canary-revoked"}}}

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports
