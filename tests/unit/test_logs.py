import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from core import logs
from core.tokens import Token, without_tokens

CANARY = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"
CHATTY = ["alembic", "botocore", "urllib3", "celery", "kombu", "amqp", "slack_sdk"]

Lines = Callable[[], str]


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in CHATTY}
    yield
    root.handlers[:], root.level = handlers, level
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture(params=[True, False], ids=["json", "text"])
def written(request: pytest.FixtureRequest) -> Lines:
    """What was logged, as collectors read it and as people do."""
    stream = io.StringIO()
    logs.configure(json=request.param, level="DEBUG", stream=stream)
    return stream.getvalue


@pytest.fixture
def documents() -> Callable[[], list[dict[str, Any]]]:
    """What was logged as JSON, one document a line."""
    stream = io.StringIO()
    logs.configure(json=True, level="INFO", stream=stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


class Leaky:
    """Something whose repr holds a token."""

    def __repr__(self) -> str:
        return f"<{CANARY}>"


def raising() -> None:
    raise ValueError(f"not accepted: {CANARY}")


def raising_from_another() -> None:
    try:
        raising()
    except ValueError as error:
        raise RuntimeError("gave up") from error


@pytest.mark.law(9)
@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        f"Bearer {CANARY}",
        f"https://keyturn.example.com/?token={CANARY}&x=1",
        {"token": CANARY},
        {CANARY: 1},
        [CANARY],
        (1, {"deep": [CANARY]}),
        CANARY.encode(),
        ValueError(CANARY),
        Leaky(),
    ],
)
def test_a_token_in_any_field_of_ours_comes_out_masked(written: Lines, value: object):
    structlog.get_logger("test").info("sent", what=value)

    assert CANARY not in written()
    assert "tfy_***" in written()


@pytest.mark.law(9)
def test_a_token_in_a_message_of_ours_comes_out_masked(written: Lines):
    structlog.get_logger("test").warning(f"refused {CANARY}")

    assert "refused tfy_***" in written()
    assert CANARY not in written()


@pytest.mark.law(9)
def test_a_token_in_the_context_comes_out_masked(written: Lines):
    with structlog.contextvars.bound_contextvars(request_id=CANARY):
        structlog.get_logger("test").info("answered")

    assert CANARY not in written()
    assert "tfy_***" in written()


@pytest.mark.law(9)
@pytest.mark.parametrize("failing", [raising, raising_from_another])
def test_a_token_in_an_exception_of_ours_comes_out_masked(
    written: Lines, failing: Callable[[], None]
):
    try:
        failing()
    except (ValueError, RuntimeError):
        structlog.get_logger("test").exception("broken")

    assert "not accepted: tfy_***" in written()
    assert CANARY not in written()


@pytest.mark.law(9)
def test_a_token_in_a_librarys_message_comes_out_masked(written: Lines):
    logging.getLogger("library").warning("refused %s and %r", CANARY, {"token": CANARY})

    assert "refused tfy_*** and {'token': 'tfy_***'}" in written()
    assert CANARY not in written()


@pytest.mark.law(9)
@pytest.mark.parametrize("failing", [raising, raising_from_another])
def test_a_token_in_a_librarys_exception_comes_out_masked(
    written: Lines, failing: Callable[[], None]
):
    try:
        failing()
    except (ValueError, RuntimeError):
        logging.getLogger("library").exception("broken")

    assert "not accepted: tfy_***" in written()
    assert CANARY not in written()


@pytest.mark.law(9)
@pytest.mark.parametrize("secret", [Token(CANARY), SecretStr(CANARY)])
def test_what_hides_itself_shows_nothing_in_a_log(written: Lines, secret: object):
    structlog.get_logger("test").info("sent", what=secret)

    assert CANARY not in written()


def test_a_log_without_a_token_is_written_as_it_is(written: Lines):
    structlog.get_logger("test").info("rotated", account="ci-bot", generation=2)

    assert "rotated" in written()
    assert "ci-bot" in written()


def test_a_line_for_collectors_says_when_where_and_how_bad(
    documents: Callable[[], list[dict[str, Any]]],
):
    structlog.get_logger("services.engine.rotation").warning(
        "rotation.failed", account="ci-bot", tries=3
    )

    (line,) = documents()
    assert line["timestamp"].endswith("Z")
    assert line | {"timestamp": ""} == {
        "event": "rotation.failed",
        "account": "ci-bot",
        "tries": 3,
        "level": "warning",
        "logger": "services.engine.rotation",
        "timestamp": "",
    }


def test_a_librarys_line_looks_like_ours(documents: Callable[[], list[dict[str, Any]]]):
    logging.getLogger("library").error("lost %d", 3)

    (line,) = documents()
    assert (line["event"], line["level"], line["logger"]) == ("lost 3", "error", "library")


def test_what_is_below_the_level_is_not_written(documents: Callable[[], list[dict[str, Any]]]):
    structlog.get_logger("test").debug("detail")
    logging.getLogger("library").debug("detail")

    assert documents() == []


@pytest.mark.parametrize("name", CHATTY)
def test_chatty_libraries_are_heard_from_a_warning_on(
    documents: Callable[[], list[dict[str, Any]]], name: str
):
    logging.getLogger(name).info("connected")
    logging.getLogger(name).warning("refused")

    assert [line["event"] for line in documents()] == ["refused"]


def test_configuring_again_does_not_write_twice(written: Lines):
    stream = io.StringIO()
    logs.configure(json=True, level="INFO", stream=stream)

    structlog.get_logger("test").info("once")

    assert len(stream.getvalue().splitlines()) == 1
    assert written() == ""


@pytest.mark.parametrize("value", [None, True, 3, 2.5])
def test_numbers_stay_numbers(documents: Callable[[], list[dict[str, Any]]], value: object):
    structlog.get_logger("test").info("counted", value=value)

    assert documents()[0]["value"] == value


@pytest.mark.law(9)
def test_the_mask_leaves_the_prefix_which_is_everyones():
    assert without_tokens(f"a {CANARY}, b") == "a tfy_***, b"
