"""The counterpart of the sink for GitLab's CI/CD variables."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import PATH, ServiceBench
from tests.conformance.spelling import spelled, words
from tests.support.gitlab_double import TOKEN, GitLabDouble, Variable
from tests.support.http_double import Request


def gitlab_path(path: str) -> str:
    """`app/key` is the variable KEY of the project acme/app."""
    if not (found := words(path)):
        return path
    project, name = found
    return f"projects/acme/{project}/{name.upper()}"


def parts(path: str) -> tuple[str, str]:
    owner, _, name = gitlab_path(path).rpartition("/")
    return owner, name


def _writes(request: Request) -> bool:
    return request.method in {"POST", "PUT"}


@dataclass
class GitLabBench(ServiceBench):
    """Variables that are not masked, so that documents can be written too."""

    kind = "gitlab/ci-variable"
    page = "gitlab-ci.md"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "test_credentials_that_end_in_the_middle_of_a_send_are_replaced": "its token is fixed",
        "test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back": (
            "a value and its mark are one call: before it, nothing there is Keyturn's yet"
        ),
    }
    bad_paths = (
        "",
        "/",
        "KEY",
        "projects/KEY",
        "projects/app/KEY",
        "projects/acme/app/K-Y",
        "projects/acme/app/schlüssel",
        f"projects/acme/app/{'K' * 256}",
        "projects/acme/a b/KEY",
        "projects/acme/../KEY",
        "groups/KEY",
        "groups/a?b/KEY",
        "instance/KEY",
        "projects/acme/app/a\0b",
    )
    retry_after = 7.0
    credentials = (TOKEN,)
    double: GitLabDouble = field(default_factory=GitLabDouble)

    def finish(self) -> None:
        super().finish()
        self.double.reset()

    def config(self) -> dict[str, Any]:
        auth = {"type": "token", "token": TOKEN}
        return {"base_url": self.double.url, "auth_data": auth, "masked": False}

    def sink(self, **changed: Any) -> Sink:
        made = spelled(self.kind, gitlab_path).model_validate({**self.config(), **changed})
        self.made.append(made)
        return made

    def variable(self, path: str = PATH, scope: str = "*") -> Variable | None:
        return self.double.variable(*parts(path), scope)

    def history(self, path: str = PATH) -> list[Any]:
        found = self.variable(path)
        return list(found.values) if found else []

    def stored(self, path: str = PATH) -> str | None:
        found = self.variable(path)
        return found.told["value"] if found else None

    def write_foreign(self, path: str = PATH) -> None:
        self.double.write(*parts(path), "foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.missing.add(parts(path)[0])

    def interrupt(self) -> None:
        self.double.fault(_writes, drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault(_writes, lose_answer=True)

    def throttle(self) -> None:
        self.spoil(status=429, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=502)

    def refuse_size(self) -> int:
        return 10_001

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"type": "token", "token": "canary-revoked"}}

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports
