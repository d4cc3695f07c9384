"""What commands print: one document for machines, nothing that a terminal would obey."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.errors import DestinationRefused
from tests.support.command import Ended, Keyturn, commands
from tests.support.identity import trust_unseen, trusted
from tests.support.world import HOURLY, World, stored

TOKEN = re.compile(r"tfy_(vat|pat)_\w")
# Every command that ends by itself.
COMMANDS = [
    "migrate",
    "doctor",
    "plan",
    "plugins",
    "keys rotate",
    "tenants limits",
    "lanes list",
    "deliveries list",
    "deliveries show DELIVERY",
    "accounts list",
    "accounts create web-bot --interval 1h --grace 10m",
    "accounts create ci-bot",
    "accounts show ci-bot",
    "accounts stores ci-bot",
    "accounts uses ci-bot",
    "accounts acknowledge ci-bot",
    "identity-providers list",
    "identity-providers explain --file jwt",
    "signing-keys list",
    "signing-keys rotate",
    "channels list",
    "channels test chat --to ops",
    "accounts rotate ci-bot",
    "accounts rotate ci-bot --grace 1h",
    "accounts revoke ci-bot --generation 1 --yes",
    "accounts revoke ci-bot --yes",
    "accounts delete ci-bot --yes",
    "recover --yes",
    "audit list",
    "audit verify",
    "apply -f bot.yaml",
    "apply -f bot.yaml --dry-run",
]
WITHOUT_JSON = [
    "accounts pause ci-bot",
    "accounts resume ci-bot",
    "deliveries roll-forward DELIVERY",
    "identity-providers delete unused --yes",
    "tenants create globex --email bob@example.com",
    "admin bootstrap --tenant acme --out admin-token",
    "admin reset --email ann@example.com --out admin-token",
    "clock trust",
    "audit export",
]
# These print one when asked, run until they are told to end, or are proved word by word elsewhere.
OTHERS = {
    "accounts token",
    "exec",
    "keys new",
    "up",
    "api",
    "worker",
    "beat",
    "lanes pause",
    "lanes resume",
    "admin sign-in-link",
}
WILD = "[red]\x1b[31m\x1b]0;owned\x07\r\u202e:key:\\"


class Busy(Keyturn):
    """Puts the id of a delivery in its place."""

    def __call__(self, *words: str, answers: str | None = None) -> Ended:
        if "DELIVERY" in words:
            newest = self.json("deliveries", "list")[0]["id"]
            words = tuple(newest if word == "DELIVERY" else word for word in words)
        return super().__call__(*words, answers=answers)


@pytest.fixture
def busy(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Keyturn]:
    """With an account, a store and a lane in trouble, a channel, a manifest and a JWT."""
    (tmp_path / "bot.yaml").write_text("type: virtual-account\nname: bot\n")
    monkeypatch.chdir(tmp_path)
    fqn, store = world.store()
    world.channel()
    store.fail(DestinationRefused(f"refused by {WILD}"))
    world.create("ci-bot", auto_rotate=HOURLY, secret_store_config=stored(fqn))
    world.drain()
    trust_unseen(world, "unused")
    monkeypatch.setenv("KEYTURN_ALLOWED_NETWORKS", "127.0.0.1")
    with trusted(world) as identity:
        identity.map("mapped-bot")
        (tmp_path / "jwt").write_text(identity.issuer.issue())
        yield Busy()


@pytest.mark.parametrize("command", COMMANDS)
def test_json_is_one_document_and_nothing_else(busy: Keyturn, command: str):
    ended = busy(*command.split(), "--json")

    assert ended.code == 0
    json.loads(ended.out)
    assert not TOKEN.search(ended.out + ended.err)


@pytest.mark.parametrize("command", COMMANDS + WITHOUT_JSON)
def test_no_command_prints_a_token_that_was_not_asked_for(busy: Keyturn, command: str):
    ended = busy(*command.split())

    assert ended.code == 0
    assert not TOKEN.search(ended.out + ended.err)


@pytest.mark.parametrize("command", ["lanes list", "doctor"])
def test_what_others_say_is_shown_without_what_a_terminal_would_obey(busy: Keyturn, command: str):
    said = busy(*command.split()).out

    assert "refused by [red] [31m ]0;owned   :key:\\" in said
    assert set(said) - {"\n"} == {c for c in said if c.isprintable()}


@pytest.mark.parametrize(
    "words",
    [
        ["accounts", "show", WILD],
        ["accounts", "create", WILD],
        ["accounts", "list", "--tenant", WILD],
        ["lanes", "resume", WILD],
        ["tenants", "create", WILD, "--email", "bob@example.com"],
        ["accounts", "create", "ci-bot", "--store", f"{WILD}=path"],
        ["accounts", "list", "--data-dir", f"/{WILD}", "--limit", "1"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_errors_are_shown_without_what_a_terminal_would_obey(keyturn: Keyturn, words: list[str]):
    said = keyturn(*words).err

    assert "\x1b" not in said
    assert "\x07" not in said
    assert "\u202e" not in said
    assert "🔑" not in said


def test_a_file_of_any_name_is_shown_harmlessly(keyturn: Keyturn, tmp_path: Path):
    file = tmp_path / "[red]\x1b[31m"

    said = keyturn.said("admin", "bootstrap", "--tenant", "acme", "--out", str(file))

    assert said == f"The first admin's token is in {tmp_path}/[red] [31m.\n"
    assert file.exists()


def test_every_command_with_json_is_among_those_proved_above():
    proved = {name for name in commands() for line in COMMANDS if f"{line} ".startswith(f"{name} ")}

    assert proved == {name for name, options in commands().items() if "--json" in options}


def test_every_other_command_is_proved_to_print_no_token():
    lines = COMMANDS + WITHOUT_JSON
    proved = {name for name in commands() for line in lines if f"{line} ".startswith(f"{name} ")}

    assert proved | OTHERS == set(commands())
