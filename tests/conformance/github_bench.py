"""The counterpart of the sink for GitHub Actions secrets."""

import re
from dataclasses import dataclass, field
from typing import Any

from core.plugins import Ports
from sinks.base import Sink
from tests.conformance.sink_bench import DOCS, PATH, ServiceBench
from tests.conformance.spelling import spelled, words
from tests.support.github_double import APP_ID, APP_KEY, INSTALLATION, GitHubDouble


def github_path(path: str) -> str:
    """`app/key` is the secret KEY of the repository acme/app."""
    if not (found := words(path)):
        return path
    repository, name = found
    return f"repos/acme/{repository}/{'_' if name.isdigit() else ''}{name.upper()}"


def level(path: str) -> str:
    return github_path(path).rpartition("/")[0] + "/actions"


@dataclass
class GitHubBench(ServiceBench):
    """An App's installation with just the permissions that the documentation names."""

    kind = "github/actions-secret"
    page = "github-actions.md"
    bad_paths = (
        "",
        "/",
        "KEY",
        "repos/acme/KEY",
        "repos/acme/app/1KEY",
        "repos/acme/app/GITHUB_KEY",
        "repos/acme/app/a b",
        "repos/acme/app/schlüssel",
        "repos/acme/app/straße",
        f"repos/acme/app/{'K' * 248}",
        "repos/acme/../KEY",
        "repos/acme/a?b/KEY",
        "environments/acme/app/KEY",
        f"environments/acme/app/{'e' * 256}/KEY",
        "organizations/acme/app/KEY",
        "gists/acme/KEY",
        "repos/acme/app/a\0b",
    )
    retry_after = 7.0
    credentials = (*APP_KEY.splitlines()[1:4], "ghs_")
    double: GitHubDouble = field(default_factory=GitHubDouble)

    def start(self) -> None:
        super().start()
        named = re.findall(r"^\| `(\w+)` \| write", (DOCS / self.page).read_text(), re.MULTILINE)
        assert len(named) == 5
        self._documented = dict.fromkeys(named, "write")
        self.double.may = dict(self._documented)

    def finish(self) -> None:
        super().finish()
        self.double.reset()
        self.double.may = dict(self._documented)

    def config(self) -> dict[str, Any]:
        app = {"app_id": APP_ID, "installation_id": INSTALLATION, "private_key": APP_KEY}
        return {"base_url": self.double.base_url, "auth_data": {"type": "app", **app}}

    def sink(self, **changed: Any) -> Sink:
        made = spelled(self.kind, github_path).model_validate({**self.config(), **changed})
        self.made.append(made)
        return made

    def history(self, path: str = PATH) -> list[Any]:
        """A value that was written twice on end counts once: GitHub keeps no versions of it."""
        secret = self._secret(path)
        return list(secret.values) if secret else []

    def stored(self, path: str = PATH) -> str | None:
        secret = self._secret(path)
        return secret.value if secret else None

    def write_foreign(self, path: str = PATH) -> None:
        name = github_path(path).rpartition("/")[2]
        self.double.write(level(path), "secrets", name, "foreign")

    def deny(self, path: str = PATH) -> None:
        self.double.missing.add(level(path))

    def interrupt(self) -> None:
        self.double.fault("PUT */secrets/*", drop=True)

    def lose_written_answer(self) -> None:
        self.double.fault("PUT */secrets/*", lose_answer=True)

    def throttle(self) -> None:
        said = {"message": "You have exceeded a secondary rate limit."}
        self.spoil(status=403, body=said, headers={"Retry-After": "7"})

    def fail(self) -> None:
        self.spoil(status=502)

    def refuse_size(self) -> int:
        return 49_153

    def refuse_credentials(self) -> dict[str, Any]:
        return {"auth_data": {"type": "token", "token": "canary-revoked"}}

    def ending_credentials(self) -> dict[str, Any]:
        self.at_call(3, self.double.expire_tokens)  # the first is the login
        return {}

    def logins(self) -> int:
        return len(self.double.seen("POST */access_tokens"))

    def broken(self) -> tuple[Sink, Ports]:
        return self.sink(**self.refuse_credentials()), self.ports

    def _secret(self, path: str) -> Any:
        return self.double.thing(level(path), "secrets", github_path(path).rpartition("/")[2])
