"""npm's oidc-provider, a real OpenID provider, under Node; and a browser that logs in there."""

import html
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx

from tests.support.missing import Missing
from tests.support.ports import LOOPBACK, free_port, port_answers
from tests.support.server_process import ServerProcess, server_directory

AUDIENCE = "https://keyturn.example.com/acme"
SECRET = "secret of the client: %+&"
_ROOT = Path(__file__).parents[2]
_SCRIPT = _ROOT / "tests" / "oidc" / "provider.mjs"
_MODULES = _ROOT / ".venv" / "oidc" / "node_modules"


@dataclass
class OidcProvider:
    """A running one. Started again, it is the same one with other keys."""

    port: int
    redirect_uri: str
    in_id_token: bool
    folder: Path
    process: ServerProcess | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def start(self, kid: str = "key-1") -> None:
        told = {
            "port": self.port,
            "redirectUri": self.redirect_uri,
            "audience": AUDIENCE,
            "kid": kid,
            "inIdToken": self.in_id_token,
        }
        command = [_node(), str(self.folder / _SCRIPT.name), json.dumps(told)]
        self.process = ServerProcess(command, self.folder)
        self.process.start()
        self.process.wait_until(lambda: port_answers(self.port))

    def stop(self) -> None:
        if self.process is not None:
            self.process.end()

    def workload_jwt(self) -> str:
        """An access token of the client `workload`, which is a JWT."""
        answer = httpx.post(
            f"{self.url}/token",
            data={"grant_type": "client_credentials"},
            auth=("workload", "secret-of-the-workload"),
        )
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    def log_in(self, url: str, email: str) -> dict[str, str]:
        """What a browser brings back from there after its person logged in and agreed."""
        with httpx.Client(base_url=self.url) as browser:
            page = browser.get(url)
            while True:
                while page.is_redirect:
                    target = page.headers["Location"]
                    if target.startswith(self.redirect_uri):
                        query = parse_qs(urlsplit(target).query)
                        return {name: values[0] for name, values in query.items()}
                    page = browser.get(target)
                assert page.status_code == 200, page.text
                action = re.search(r'<form[^>]* action="([^"]+)"', page.text)
                assert action is not None, page.text
                prompt = re.search(r'name="prompt" value="(\w+)"', page.text)
                assert prompt is not None, page.text
                form = {"prompt": prompt[1], "login": email, "password": "x"}
                page = browser.post(html.unescape(action[1]), data=form)


@contextmanager
def oidc_provider(redirect_uri: str, *, in_id_token: bool = False) -> Iterator[OidcProvider]:
    """A provider whose clients come back to this address; its processes end with the context."""
    if not _MODULES.is_dir():
        raise Missing("a real OpenID provider: make .venv/.oidc (needs node and npm)")
    folder = server_directory("oidc")
    shutil.copy(_SCRIPT, folder)
    (folder / "node_modules").symlink_to(_MODULES)
    made = OidcProvider(free_port(), redirect_uri, in_id_token, folder)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _node() -> str:
    found = shutil.which("node")
    if found is None:
        raise Missing("install nodejs (apt)")
    return found
