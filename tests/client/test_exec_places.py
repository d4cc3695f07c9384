"""Where `keyturn-exec` finds the token, and what it says when it does not."""

import httpx
import pytest

from services.engine import tokens as by_hand
from tests.client.running import LARGE, SMALL, once, running
from tests.support.ports import free_port
from tests.support.world import HOURLY

SHOW = ("--", "sh", "-c", 'echo "$KEY ${VAULT_TOKEN-none} ${TFY_API_KEY-none}"')
QUICK = ("--every", "50ms")


def kept(vault, token):
    httpx.post(
        f"{vault.url}/v1/secret/data/ci/token",
        headers={"X-Vault-Token": "hvs.root"},
        json={"data": {"token": token, "other": "x"}},
    ).raise_for_status()


def test_vault_is_asked_with_the_environments_login_which_the_program_does_not_get(vault, tokens):
    kept(vault, tokens[0])

    code, out, _ = once(
        "--vault", "ci/token", "--env", "KEY", *SHOW,
        VAULT_ADDR=vault.url, VAULT_TOKEN="hvs.root", TFY_API_KEY="its own",
    )  # fmt: skip

    assert (code, out) == (0, f"{tokens[0]} none its own\n")


def test_a_login_from_a_file_leaves_the_programs_own_alone(vault, tokens, tmp_path):
    kept(vault, tokens[0])
    (tmp_path / "login").write_text("hvs.root\n")

    _, out, _ = once(
        "--vault", "ci/token", "--url", vault.url, "--credential-file", str(tmp_path / "login"),
        "--env", "KEY", *SHOW, VAULT_TOKEN="its own",
    )  # fmt: skip

    assert out == f"{tokens[0]} its own none\n"


def test_a_new_token_in_vault_restarts_the_program_and_an_outage_does_not(vault, tokens, tmp_path):
    kept(vault, tokens[0])
    login = {"VAULT_ADDR": vault.url, "VAULT_TOKEN": "hvs.root"}
    with running(tmp_path, "--vault", "ci/token", *QUICK, environment=login) as run:
        run.wait("started")
        vault.stop()
        assert run.process.stdout is not None
        away = run.process.stdout.readline()
        vault.start()
        back = run.process.stdout.readline()
        started = len(run.seen("started"))
        kept(vault, tokens[1])
        again = run.wait("started", times=2)

    where = f"keyturn-exec: Vault {vault.url}, secret/data/ci/token, token"
    assert away == f"{where}: no answer (ConnectError); the last good token is kept\n"
    assert back == f"{where} answers again\n"
    assert started == 1
    assert again["environment"]["TFY_API_KEY"] == tokens[1]


@pytest.mark.parametrize("command", [SMALL, LARGE], ids=["small", "large"])
def test_an_account_is_followed_through_keyturns_own_api(
    server, world, admin_token, tmp_path, command
):
    row, token = world.create("ci-bot", auto_rotate=HOURLY)
    login = {"TFY_HOST": server, "TFY_API_KEY": admin_token}
    with running(
        tmp_path, "--account", str(row.id), "--env", "KEY", *QUICK,
        command=command, environment=login,
    ) as run:  # fmt: skip
        first = run.wait("started")["environment"]
        new = by_hand.rotate_account(world.runtime, world.admin, row.id)
        second = run.wait("started", times=2)["environment"]

    assert (first["KEY"], second["KEY"]) == (token.reveal(), new.reveal())
    assert "TFY_API_KEY" not in first


@pytest.mark.parametrize(
    ("where", "text"),
    [
        (("--field", "OPENAI_API_KEY"), '{{"OPENAI_API_KEY": "{}"}}'),
        (("--variable", "OPENAI_API_KEY"), "OPENAI_API_KEY={}\n"),
    ],
)
def test_a_document_is_read_by_its_field_or_variable(tmp_path, tokens, where, text):
    path = tmp_path / "document"
    path.write_text(text.format(tokens[0]))

    _, out, _ = once("--file", str(path), *where, "--env", "KEY", *SHOW)

    assert out == f"{tokens[0]} none none\n"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "write the program to run after --"),
        (("--file", "x", "--"), 2, "write the program to run after --"),
        (("--", "true"), 2, "say where the token is: one of --file, --vault and --account"),
        (("--file", "x", "--vault", "y", "--", "true"), 2, "one of --file, --vault and --account"),
        (("--vault", "y", "--variable", "K", "--", "true"), 2, "--variable goes with --file"),
        (("--file", "x", "--env", "1", "--", "true"), 2, "letters, digits and underscores"),
        (("--file", "x", "--every", "0", "--", "true"), 2, "give a length above 0"),
        (("--file", "x", "--grace", "1d", "--", "true"), 2, "a length like 500ms, 30s, 5m or 1h"),
        (("--file", "x", "--on-rotation", "KILL", "--", "true"), 2, "restart, ignore, or a signal"),
        (("--file", "x", "--on-rotation", "x", "--", "true"), 2, "restart, ignore, or a signal"),
        (("--vault", "y", "--", "true"), 4, "give --url, or set VAULT_ADDR"),
        (("--vault", "y", "--url", "http://v", "--", "true"), 4, "--credential-file, or set VAULT"),
        (("--account", "y", "--", "true"), 4, "give --url, or set TFY_HOST"),
        (("--account", "y", "--url", "http://v", "--", "true"), 4, "or set TFY_API_KEY"),
        (("--file", "/nowhere", "--", "true"), 5, "file /nowhere: No such file or directory"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_started(words, code, said):
    ended = once(*words)

    assert (ended[0], ended[1]) == (code, "")
    assert said in ended[2]


def test_a_store_that_is_away_is_said_before_anything_is_started():
    address = f"http://127.0.0.1:{free_port()}"

    ended = once("--vault", "y", "--url", address, "--", "echo", "no", VAULT_TOKEN="canary")

    said = f"keyturn-exec: Vault {address}, secret/data/y, token: no answer (ConnectError)\n"
    assert ended == (5, "", said)


@pytest.mark.parametrize("command", [SMALL, LARGE], ids=["small", "large"])
def test_a_program_that_cannot_be_started_is_told_as_shells_do(tmp_path, tokens, command):
    path = tmp_path / "token"
    path.write_text(tokens[0])

    missing = once("--file", str(path), "--", "no-such-program", command=command)
    refused = once("--file", str(path), "--", str(path), command=command)

    prog = "keyturn-exec" if command == SMALL else "keyturn exec"
    assert missing == (127, "", f"{prog}: no-such-program: no such program\n")
    assert refused == (126, "", f"{prog}: {path}: Permission denied\n")
