"""The example of a notifier of one's own: installed as a package, found, and used."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.http_double import Answer, HttpDouble, Request

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests/plugins_notifier_example"
USE = """
import sys
from datetime import UTC, datetime
from uuid import UUID

from core.errors import DestinationRefused
from core.events import EventType, Severity
from core.plugins import Family, kinds, load
from notifiers.base import Notice
from tests.support.lending import lent

notifier = load(Family.NOTIFIER, "line").model_validate({"webhook_url": sys.argv[1]})
at, facts = datetime(2026, 3, 2, 9, tzinfo=UTC), {"account": "ci", "generation": 3}
notice = Notice(UUID(int=7), EventType.TOKEN_EXPIRED, Severity.INFO, at, "acme", facts, "")
print("line" in kinds(Family.NOTIFIER), notifier.check(lent()))
notifier.send(notice, "", lent())
try:
    notifier.send(notice, "", lent())
except DestinationRefused as refused:
    print(refused)
print(notifier)
"""


class Receiver(HttpDouble):
    """Takes what is posted to it."""

    def answer(self, request: Request) -> Answer:
        return Answer(204)


def run(*command: str, **env: str) -> str:
    made = subprocess.run(
        [sys.executable, *command],
        env={"PYTHONPATH": env.get("path", ""), "PATH": "/usr/bin:/bin"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


def test_a_notifier_from_another_package_is_found_and_tells(tmp_path):
    package, installed = tmp_path / "package", tmp_path / "installed"
    shutil.copytree(EXAMPLE, package)
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    run("-m", "pip", "install", "--quiet", *offline, "--target", str(installed), str(package))

    with Receiver() as receiver:
        receiver.fault(lambda _: len(receiver.requests) > 1, status=403)
        said = run("-c", USE, f"{receiver.url}/CANARY", path=f"{installed}:{ROOT}").splitlines()
        first, again = receiver.requests

    assert said[:2] == ["True 127.0.0.1 answers", "the line's receiver refused (403)"]
    assert "CANARY" not in "".join(said)
    assert first.body.decode() == "ci: the old token of generation 3 has ended"
    assert first.headers["Idempotency-Key"] == again.headers["Idempotency-Key"]


@pytest.mark.parametrize(
    ("language", "name"), [("python", "keyturn_line.py"), ("toml", "pyproject.toml")]
)
def test_the_page_shows_the_example_as_it_is(language, name):
    page = (ROOT / "docs/notifiers/writing-one.md").read_text()

    assert (EXAMPLE / name).read_text() in re.findall(rf"```{language}\n(.*?)```", page, re.DOTALL)
