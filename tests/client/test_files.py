"""A token that is followed in a file."""

import itertools
import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from keyturn_client import TokenSource, TokenUnavailable
from pydantic import SecretStr

from core.layout import Form, Layout

OLD = 1_700_000_000  # a moment long ago, at which files were written


def replaced(path: Path, text: str) -> None:
    """As Keyturn's file sink and the stores' agents do it."""
    draft = path.with_name(".draft")
    draft.write_text(text)
    draft.replace(path)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "token"


def test_a_file_is_followed_through_its_replacements(path, tokens):
    replaced(path, tokens[0] + "\n")
    source = TokenSource.from_file(path)
    before = source()

    replaced(path, tokens[1] + "\n")

    assert (before, source()) == (tokens[0], tokens[1])


def test_what_keyturn_lays_out_is_read_back(path, tokens):
    facts = {"account": 'ci "bot"', "next-rotation": "2026-03-02T10:00:00Z"}
    for form, where in [
        (Form.BARE, {}),
        (Form.JSON, {"field": "OPENAI_API_KEY"}),
        (Form.DOTENV, {"variable": "OPENAI_API_KEY"}),
    ]:
        replaced(path, Layout(form=form).text(SecretStr(tokens[0]), facts).get_secret_value())

        assert TokenSource.from_file(path, **where)() == tokens[0]


@pytest.mark.parametrize(
    "line",
    [
        "KEY={}",
        "export KEY={}",
        ' KEY = "{}" # ours',
        "KEY='{}'",
        "KEY=old\nKEY={}",
        "#KEY=x\nKEY={} # ",
    ],
)
def test_a_variable_is_read_as_shells_and_dotenv_readers_write_it(path, tokens, line):
    path.write_text(f"OTHER=1\n{line.format(tokens[0])}\nKEYS=2\n")

    assert TokenSource.from_file(path, variable="KEY")() == tokens[0]


@pytest.mark.parametrize(
    ("text", "where", "why"),
    [
        ("", {}, "it is empty"),
        ("two words", {}, "it is not one word of visible ASCII characters"),
        ("tfy_vat_", {}, "it is cut off or damaged"),
        ("tfy_", {}, "it is cut off or damaged"),
        ("eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjF9.c2ln", {}, "it is cut off or damaged"),
        ('{"key": "tfy', {"field": "key"}, "it is not JSON"),
        ("[" * 5000, {"field": "key"}, "it is not JSON"),
        ('{"key": 1}', {"field": "key"}, "it has no field 'key' with text"),
        ("[]", {"field": "key"}, "it has no field 'key' with text"),
        ("OTHER=1", {"variable": "KEY"}, "it has no variable KEY"),
        ('KEY="tfy', {"variable": "KEY"}, "a quotation does not end"),
        ("x" * 70_000, {}, "it is longer than 65536 bytes"),
        ("\xff", {}, "it is not text"),
    ],
)
def test_what_is_no_whole_token_is_refused_with_its_reason(path, text, where, why):
    path.write_bytes(text.encode("latin-1"))

    with pytest.raises(TokenUnavailable) as refused:
        TokenSource.from_file(path, **where)()

    assert str(refused.value).endswith(f": {why}")
    assert refused.value.__context__ is None


def test_what_is_no_file_is_refused_at_once(path, tmp_path):
    os.mkfifo(path)

    with pytest.raises(TokenUnavailable, match="not a regular file"):
        TokenSource.from_file(path)()
    with pytest.raises(TokenUnavailable, match="No such file"):
        TokenSource.from_file(tmp_path / "nowhere")()


@pytest.mark.parametrize("length", range(57))
def test_no_beginning_of_a_token_is_taken_for_one(path, tokens, length):
    path.write_text(tokens[0][:length])

    with pytest.raises(TokenUnavailable):
        TokenSource.from_file(path)()


def test_while_a_file_is_half_written_the_last_token_is_kept_and_said_once(path, tokens, said):
    path.write_text(tokens[0])
    source = TokenSource.from_file(path)
    source()

    path.write_text(tokens[1][:40])
    kept = [source(), source()]
    trouble = source.trouble
    path.write_text(tokens[1])

    assert kept == [tokens[0], tokens[0]]
    assert source() == tokens[1]
    assert trouble == f"file {path}: it is cut off or damaged"
    assert source.trouble is None
    assert said.messages == [
        f"file {path}: it is cut off or damaged; the last good token is kept",
        f"file {path} answers again",
    ]


def test_a_file_that_is_gone_leaves_the_last_token(path, tokens):
    path.write_text(tokens[0])
    source = TokenSource.from_file(path)
    source()

    path.unlink()

    assert source() == tokens[0]
    assert source.trouble == f"file {path}: No such file or directory"


def test_two_writings_within_one_tick_of_the_clock_are_told_apart(path, tokens):
    for token in tokens * 5:
        path.write_text(token)  # in place: inode and size stay, the time often too
        source = TokenSource.from_file(path)
        source()
        path.write_text(tokens[0])

        assert source() == tokens[0]


def test_a_file_with_an_old_time_is_noticed_by_its_inode(path, tokens):
    replaced(path, tokens[0])
    os.utime(path, (OLD, OLD))
    source = TokenSource.from_file(path)
    source()

    replaced(path, tokens[1])
    os.utime(path, (OLD, OLD))

    assert source() == tokens[1]


def test_a_volume_that_swaps_its_folder_is_followed(tmp_path, tokens):
    for number, token in enumerate(tokens[:2]):
        (tmp_path / f"{number}").mkdir()
        (tmp_path / f"{number}" / "token").write_text(token)
    (tmp_path / "now").symlink_to("0")
    source = TokenSource.from_file(tmp_path / "now" / "token")
    before = source()

    (tmp_path / "next").symlink_to("1")
    (tmp_path / "next").replace(tmp_path / "now")

    assert (before, source()) == (tokens[0], tokens[1])


def test_many_threads_read_whole_tokens_while_the_file_is_replaced(path, tokens):
    replaced(path, json.dumps({"token": tokens[0]}))
    source = TokenSource.from_file(path, field="token")
    stop = threading.Event()

    def read() -> set[str]:
        found = set()
        while not stop.wait(0.0005):
            found.add(source())
        return found

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for token in itertools.islice(itertools.cycle(tokens), 200):
            replaced(path, json.dumps({"token": token}))
        stop.set()
        found = set().union(*(reader.result() for reader in readers))

    assert found <= set(tokens)
    assert source() == tokens[3]


def test_a_token_is_in_no_repr(path, tokens):
    path.write_text(tokens[0])
    source = TokenSource.from_file(path)
    source()

    assert repr(source) == f"TokenSource(file {path})"


def test_a_file_has_a_field_or_a_variable(path):
    with pytest.raises(ValueError, match="not both"):
        TokenSource.from_file(path, field="a", variable="b")
