"""A program that runs with the token in its environment, through rotations and signals."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.running import LARGE, SMALL, TERM_CODE, alive, arguments, once, running
from tests.support.waiting import eventually

QUICK = ("--every", "20ms")


@pytest.fixture
def path(tmp_path: Path, tokens: list[str]) -> Path:
    """A file with the first token."""
    path = tmp_path / "token"
    path.write_text(tokens[0] + "\n")
    return path


def rotated(path: Path, token: str) -> None:
    draft = path.with_name(".draft")
    draft.write_text(token + "\n")
    draft.replace(path)


@pytest.mark.parametrize("command", [SMALL, LARGE], ids=["small", "large"])
def test_a_rotation_restarts_the_program_with_the_new_token(tmp_path, path, tokens, command):
    with running(tmp_path, "--file", str(path), *QUICK, command=command) as run:
        first = run.wait("started")
        rotated(path, tokens[1])
        second = run.wait("started", times=2)
        run.send(signal.SIGTERM)
        code, said = run.ended()

    assert first["environment"]["TFY_API_KEY"] == tokens[0]
    assert second["environment"]["TFY_API_KEY"] == tokens[1]
    assert [event["what"] for event in run.events] == ["started", "SIGTERM"] * 2
    assert code == TERM_CODE
    prog = "keyturn-exec" if command == SMALL else "keyturn exec"
    assert said == f"{prog}: the token was rotated: the program is restarted now\n"


@pytest.mark.parametrize("command", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("code", [0, 3, 255])
def test_the_programs_exit_code_and_output_are_passed_on(path, command, code):
    ended = once(
        "--file", str(path), "--", "sh", "-c", f"echo out; echo err >&2; exit {code}",
        command=command,
    )  # fmt: skip

    assert ended == (code, "out\n", "err\n")


def test_several_variables_get_the_token(path, tokens):
    _, out, _ = once(
        "--file", str(path), "--env", "A_KEY", "--env", "B_KEY", "--",
        "sh", "-c", 'echo "$A_KEY $B_KEY ${TFY_API_KEY-none} ${KEYTURN_TOKEN_FILE-none}"',
    )  # fmt: skip

    assert out == f"{tokens[0]} {tokens[0]} none none\n"


def test_the_token_is_in_nobodys_arguments_or_output(tmp_path, path, tokens):
    with running(tmp_path, "--file", str(path), *QUICK) as run:
        started = run.wait("started")
        shown = arguments(run.process.pid) + arguments(started["pid"])
        rotated(path, tokens[1])
        again = run.wait("started", times=2)
        shown += arguments(again["pid"])
        path.write_text("")
        run.send(signal.SIGTERM)
        _, said = run.ended()

    assert str(path) in shown
    assert not any(token in shown + said for token in tokens)


@pytest.mark.parametrize("what", ["SIGHUP", "usr2"])
def test_a_rotation_signals_the_program_which_finds_the_new_token_in_a_file(
    tmp_path, path, tokens, what
):
    name = "SIGHUP" if what == "SIGHUP" else "SIGUSR2"
    with running(tmp_path, "--file", str(path), *QUICK, "--on-rotation", what, notes=name) as run:
        first = run.wait("started")
        rotated(path, tokens[1])
        told = run.wait(name)
        run.send(signal.SIGTERM)
        code, _ = run.ended()

    assert first["file"]["text"] == tokens[0] + "\n"
    assert told["file"] == {**first["file"], "text": tokens[1] + "\n", "modes": [0o600, 0o700]}
    assert first["environment"]["TFY_API_KEY"] == tokens[0]
    assert len(run.seen("started")) == 1
    assert code == TERM_CODE
    assert not Path(told["file"]["path"]).parent.exists()


def test_a_program_that_is_left_alone_finds_the_new_token_in_the_file(tmp_path, path, tokens):
    with running(
        tmp_path, "--file", str(path), *QUICK, "--on-rotation", "ignore", notes="SIGUSR1"
    ) as run:
        kept = Path(run.wait("started")["file"]["path"])
        rotated(path, tokens[1])
        eventually(lambda: kept.read_text() == tokens[1] + "\n")

        assert [event["what"] for event in run.events] == ["started"]


def test_a_program_that_does_not_end_is_killed_after_its_grace(tmp_path, path, tokens):
    with running(tmp_path, "--file", str(path), *QUICK, "--grace", "100ms", notes="SIGTERM") as run:
        first = run.wait("started")
        rotated(path, tokens[1])
        run.wait("started", times=2)
        gone = not alive(first["pid"])
        run.send(signal.SIGQUIT)
        code, said = run.ended()

    assert gone
    assert run.events[1]["what"] == "SIGTERM"
    assert code == signal.SIGQUIT + 50
    assert "did not end at SIGTERM, so it gets SIGKILL" in said


@pytest.mark.parametrize("number", [1, 2, 3, 10, 12, 15])
def test_signals_are_passed_on_once(tmp_path, path, number):
    with running(tmp_path, "--file", str(path)) as run:
        run.wait("started")
        run.send(number)
        code, _ = run.ended()

    assert code == number + 50
    assert len(run.events) == 2


@pytest.mark.parametrize(("spread", "told"), [("1h", 1), ("0s", 2)], ids=["before", "meanwhile"])
def test_a_program_that_was_told_to_end_is_not_started_again(tmp_path, path, tokens, spread, told):
    with running(
        tmp_path, "--file", str(path), *QUICK, "--spread", spread, "--grace", "1h", notes="SIGTERM"
    ) as run:
        run.wait("started")
        rotated(path, tokens[1])
        assert run.process.stdout is not None
        assert "the program is restarted" in run.process.stdout.readline()
        eventually(lambda: len(run.seen("SIGTERM")) == told - 1)
        run.send(signal.SIGTERM)
        run.wait("SIGTERM", times=told)
        run.send(signal.SIGUSR1)
        code, _ = run.ended()

    assert code == signal.SIGUSR1 + 50
    assert len(run.seen("started")) == 1


def test_a_program_that_is_killed_is_seen_and_said(tmp_path, path):
    with running(tmp_path, "--file", str(path)) as run:
        os.kill(run.wait("started")["pid"], signal.SIGKILL)
        code, said = run.ended()

    assert (code, said) == (137, "keyturn-exec: the program was ended by SIGKILL\n")


def test_the_program_does_not_outlive_a_killed_command(tmp_path, path):
    with running(tmp_path, "--file", str(path)) as run:
        started = run.wait("started")
        run.send(signal.SIGKILL)
        run.process.wait(10)

        eventually(lambda: not alive(started["pid"]))


def test_what_the_program_leaves_behind_ends_with_it(path):
    code, out, _ = once(
        "--file", str(path), "--", "sh", "-c", "tail -f /dev/null >/dev/null 2>&1 & echo $!; exit 4"
    )

    assert code == 4
    eventually(lambda: not alive(int(out)))


def test_a_signal_that_was_ignored_stays_ignored(tmp_path, path):
    with running(tmp_path, "--file", str(path), command=["nohup", *SMALL]) as run:
        run.wait("started")
        run.send(signal.SIGHUP)
        run.send(signal.SIGTERM)
        code, _ = run.ended()

    assert code == TERM_CODE
    assert [event["what"] for event in run.events] == ["started", "SIGTERM"]


def test_at_a_terminal_the_keyboard_reaches_the_program_once(tmp_path, path):
    keyboard, terminal = pty.openpty()
    try:
        with running(
            tmp_path, "--file", str(path), command=["setsid", "--ctty", "--wait", *SMALL],
            notes="SIGINT", stdin=terminal,
        ) as run:  # fmt: skip
            run.wait("started")
            os.write(keyboard, b"\x03")
            run.wait("SIGINT")
            os.write(keyboard, b"\x1c")
            code, _ = run.ended()
    finally:
        os.close(keyboard)
        os.close(terminal)

    assert code == signal.SIGQUIT + 50
    assert [event["what"] for event in run.events] == ["started", "SIGINT", "SIGQUIT"]


def test_descriptors_and_input_are_handed_on(path):
    reader, writer = os.pipe()
    script = f"import os; print(input(), end=''); os.write({writer}, b'kept')"
    done = subprocess.run(
        [*SMALL, "--file", str(path), "--", sys.executable, "-c", script],
        input="typed",
        capture_output=True,
        text=True,
        pass_fds=[writer],
        timeout=60,
        check=True,
    )
    os.close(writer)
    with os.fdopen(reader) as kept:
        assert (done.stdout, kept.read()) == ("typed", "kept")
