"""What a case needs of a sink's counterpart: look into it behind its back, make it misbehave."""

import json
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import SecretStr

from core.errors import KeyturnError, Transient
from core.ids import Mark
from core.plugins import Family, Ports, load
from sinks.base import Copy, Held, Sink
from tests.support.http_double import Fault, Request
from tests.support.lending import lent

OURS = UUID("0192d3a4-0000-7000-8000-00000000000a")
OTHERS = UUID("0192d3a4-0000-7000-8000-00000000000b")
CANARY = "canary"
DOCS = Path(__file__).parents[2] / "docs" / "sinks"
PATH = "app/key"


def be_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host with an AWS identity of its own, a Vault token lying about, and no proxy."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAHOST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-host-key")
    monkeypatch.setenv("VAULT_TOKEN", "hvs.canary-of-the-host")


def copy(revision: int, *, epoch: int = 1, place: UUID = OURS, **more: Any) -> Copy:
    """A copy whose token and facts are of its mark alone: the same mark, the same bytes."""
    token = more.pop("token", f"{CANARY}-{place.hex[-1]}-{epoch}-{revision}")
    facts = {"account": "ci", "generation": str(revision)}
    path = more.pop("path", PATH)
    return Copy(path, SecretStr(token), Mark(epoch, revision, place), facts, **more)


def token(revision: int, *, epoch: int = 1, place: UUID = OURS) -> str:
    """The token of that copy."""
    return copy(revision, epoch=epoch, place=place).token.get_secret_value()


# The cases that only a service can have.
OVER_A_NETWORK = (
    "test_a_throttled_send_is_tried_again_when_the_store_says",
    "test_a_store_out_of_order_is_tried_again",
    "test_a_store_that_hangs_is_tried_again",
    "test_a_connection_that_is_reset_is_tried_again",
    "test_an_answer_that_was_lost_leaves_one_version_after_the_repeat",
    "test_a_send_cut_off_at_any_call_is_finished_by_its_repeat",
    "test_an_update_cut_off_at_any_call_is_finished_by_its_repeat",
    "test_a_store_that_trickles_does_not_stretch_a_send_beyond_its_limit",
    "test_a_name_that_turns_inward_is_refused_when_it_is_called",
)


@dataclass
class Bench:
    """One sink's counterpart. `said` gathers what errors and checks said, to be searched."""

    kind: ClassVar[str]
    page: ClassVar[str]
    bad_paths: ClassVar[tuple[str, ...]] = ("", "a\0b")
    inapplicable: ClassVar[Mapping[str, str]] = {}
    keyed: ClassVar[bool] = False
    retry_after: ClassVar[float | None] = None
    credentials: ClassVar[tuple[str, ...]] = ()
    ports: Ports = field(default_factory=lent)
    said: list[str] = field(default_factory=list)
    made: list[Sink] = field(default_factory=list)

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def config(self) -> dict[str, Any]:
        """A good configuration."""
        raise NotImplementedError

    def sink(self, **changed: Any) -> Sink:
        """A sink with this configuration, closed at the test's end."""
        made = load(Family.SINK, self.kind).model_validate({**self.config(), **changed})
        assert isinstance(made, Sink)
        self.made.append(made)
        return made

    def put(self, wanted: Copy, **changed: Any) -> Held:
        return self.sink(**changed).put(wanted, self.ports)

    def finish(self) -> None:
        """Nothing misbehaves any more, the store is empty, every sink is closed."""
        for sink in self.made:
            sink.close()
        self.made.clear()
        self.said.clear()

    @contextmanager
    def failing(self, kind: type[KeyturnError]) -> Iterator[pytest.ExceptionInfo[Any]]:
        """Expects an error of this kind, and keeps all that it and its chain say."""
        with pytest.raises(kind) as raised:
            yield raised
        self.said.append("".join(traceback.format_exception(raised.value)))
        error: BaseException | None = raised.value
        while error is not None:
            self.said.append(f"{error!s} {error!r} {vars(error)!r}")
            error = error.__cause__ or error.__context__

    def history(self, path: str = PATH) -> list[Any]:
        """Every value that was written, oldest first; equal only if nothing was written since."""
        raise NotImplementedError

    def stored(self, path: str = PATH) -> str | None:
        """The value that a consumer reads."""
        raise NotImplementedError

    def document(self, path: str = PATH) -> Any:
        """The named values that a consumer reads, of a copy laid out as JSON."""
        return json.loads(self.stored(path) or "null")

    def write_foreign(self, path: str = PATH) -> None:
        """Somebody else writes there, beside Keyturn."""
        raise NotImplementedError

    def allow_keys(self) -> None:
        """From now on Keyturn may do what the documentation asks for where places have keys."""

    def entries(self, path: str = PATH) -> dict[str, str] | None:
        """The named values that a consumer reads, whoever wrote them; None if there are none."""
        raise NotImplementedError

    def write_entry(self, path: str, key: str, value: str) -> None:
        """Somebody else sets one entry, beside Keyturn, and leaves the others."""
        raise NotImplementedError

    def versions(self, path: str = PATH) -> list[Any]:
        """All entries as each write left them, oldest first."""
        raise NotImplementedError

    def deny(self, path: str = PATH) -> None:
        """The store refuses this path alone."""
        raise NotImplementedError

    def interrupt(self) -> None:
        """The next writing of a value fails, whatever was written before it; once."""
        raise NotImplementedError

    def mend(self) -> None:
        """What was interrupted works again."""

    def broken(self) -> tuple[Sink, Ports]:
        """A sink that cannot work as it is configured."""
        raise NotImplementedError


@dataclass
class ServiceBench(Bench):
    """A sink that calls a service."""

    double: Any = None

    def start(self) -> None:
        self.double.start()

    def stop(self) -> None:
        self.double.stop()

    def sink(self, **changed: Any) -> Sink:
        """Patient, so that a stall of the machine that runs the tests is no store's failure."""
        return super().sink(**{"timeout": 30.0, **changed})

    def finish(self) -> None:
        self.double.release()
        super().finish()
        self.double.clear()

    def elsewhere(self, host: str) -> dict[str, Any]:
        """Answers a configuration by which the same service is called by another name."""
        given = self.config()
        named = {
            field: given[field].replace("127.0.0.1", host)
            for field in ("vault_url", "base_url", "endpoint_url")
            if field in given
        }
        assert any(host in address for address in named.values())
        return named

    def spoil(self, **how: Any) -> Fault:
        """Spoils the next call of any kind."""
        fault: Fault = self.double.fault("*", **how)
        return fault

    def cut_off(self, wanted: Copy, number: int, **how: Any) -> None:
        """A send whose call of this number (from 1) is spoilt; it may have fewer calls."""
        calls = count(1)
        fault = self.double.order(Fault(lambda _: next(calls) == number, **how))
        try:
            self.put(wanted)
        except Transient as error:
            self.said.append(str(error))
        fault.match = lambda _: False

    def put_around(self, wanted: Copy, number: int, do: Callable[[], object]) -> Held:
        """A send whose call of this number (from 1) reaches the service after `do` is done."""
        calls = count(1)
        fault = self.double.order(Fault(lambda _: next(calls) == number, hang=True))
        with ThreadPoolExecutor(1) as pool:
            sending = pool.submit(self.put, wanted)
            assert fault.arrived.wait(10)
            do()
            self.double.release()
            return sending.result(10)

    def at_call(self, number: int, do: Callable[[], object]) -> None:
        """Does something, without calling the service, as this call (from 1) arrives."""
        calls = count(1)

        def watch(_: Request) -> bool:
            if next(calls) == number:
                do()
            return False

        self.double.order(Fault(watch))

    def at_each_call(self, do: Callable[[], object]) -> None:
        """Does something, without calling the service, as each call arrives."""

        def watch(_: Request) -> bool:
            do()
            return False

        self.double.order(Fault(watch))

    def throttle(self) -> None:
        raise NotImplementedError

    def fail(self) -> None:
        raise NotImplementedError

    def lose_written_answer(self) -> None:
        """The next value is written, its answer lost."""
        raise NotImplementedError

    def refuse_size(self) -> int:
        """Answers how many bytes the store does not take."""
        raise NotImplementedError

    def refuse_credentials(self) -> dict[str, Any]:
        """Answers a configuration whose credentials the store refuses from now on."""
        raise NotImplementedError

    def ending_credentials(self) -> dict[str, Any]:
        """Answers a configuration whose credentials end at the second call of a send."""
        raise NotImplementedError

    def logins(self) -> int:
        """How often credentials were exchanged."""
        raise NotImplementedError
