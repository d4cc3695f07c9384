import inspect
import re
from datetime import timedelta

import pytest

from api import errors as answers
from core import errors
from core.errors import KeyturnError

CANARY = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"
CLASSES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, KeyturnError)
]
# Clients and metrics know these; a code is never renamed, and its status stays.
PUBLISHED = {
    "conflict": 409,
    "destination_refused": 422,
    "error": 500,
    "forbidden": 403,
    "invalid_input": 422,
    "master_key_missing": 503,
    "misconfigured": 503,
    "not_found": 404,
    "permanent": 502,
    "place_refused": 422,
    "plugin_not_installed": 422,
    "plugin_unknown": 422,
    "seal_broken": 500,
    "send_failed": 502,
    "stale": 412,
    "throttled": 429,
    "too_large": 413,
    "transient": 502,
    "unauthenticated": 401,
    "unready": 503,
}


def drawn_tree() -> dict[str, str]:
    """Each class that the module's docstring draws, and the one above it."""
    parents: dict[str, str] = {}
    above = ["KeyturnError"]
    for lead, name in re.findall(r"\n    ((?:[│ ]   )*)[├└]── (\w+)", errors.__doc__ or ""):
        depth = len(lead) // 4 + 1
        parents[name] = above[depth - 1]
        above[depth:] = [name]
    return parents


def test_the_tree_in_the_docstring_is_the_tree_there_is():
    real = {kind.__name__: kind.__base__.__name__ for kind in CLASSES if kind is not KeyturnError}

    assert drawn_tree() == real


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_docstring_of_one_sentence(kind: type[KeyturnError]):
    assert re.fullmatch(r"[A-Z][^\n]+\.", kind.__dict__["__doc__"])


@pytest.mark.parametrize("kind", CLASSES)
def test_every_error_has_a_stable_code_of_its_own(kind: type[KeyturnError]):
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.__dict__["code"])


def test_no_two_errors_share_a_code():
    codes = [kind.code for kind in CLASSES]

    assert sorted(codes) == sorted(set(codes))


def test_codes_and_their_statuses_are_as_published():
    assert {kind.code: answers.STATUS[kind] for kind in CLASSES} == PUBLISHED


def test_only_errors_that_exist_have_a_status():
    assert set(answers.STATUS) == set(CLASSES)


@pytest.mark.parametrize("kind", [errors.Conflict, errors.Transient, errors.Unready])
def test_the_message_of_an_error_is_its_docstring_by_default(kind: type[KeyturnError]):
    assert str(kind()) == kind.__doc__


def test_a_message_of_its_own_wins():
    assert str(errors.Conflict("The account is paused.")) == "The account is paused."


def test_an_invalid_input_names_its_field():
    refused = errors.InvalidInput("auto_rotate.grace", "give a duration")

    assert str(refused) == "auto_rotate.grace: give a duration"
    assert answers.body_of(refused) == {
        "statusCode": 422,
        "message": "auto_rotate.grace: give a duration",
        "code": "invalid_input",
        "details": [{"field": "auto_rotate.grace"}],
    }


def test_a_missing_thing_is_named():
    assert str(errors.NotFound("lane", 7)) == "There is no lane '7' here."


def test_a_caller_without_a_token_is_told_why_and_how():
    refused = errors.Unauthenticated("expired")

    assert str(refused) == "This call needs a valid bearer token: expired."
    assert answers.headers_of(refused) == {"WWW-Authenticate": "Bearer"}


def test_a_caller_who_comes_at_a_bad_time_is_told_when_to_come_back():
    assert answers.headers_of(errors.Unready()) == {"Retry-After": "2"}


def test_other_refusals_need_no_header():
    assert answers.headers_of(errors.Conflict()) == {}


def test_a_transient_failure_says_when_to_try_again():
    failed = errors.Transient("busy", retry_after=timedelta(seconds=30), throttled=True)

    assert (failed.retry_after, failed.throttled) == (timedelta(seconds=30), True)


def test_an_error_without_details_has_none():
    assert answers.body_of(errors.Forbidden("No."))["details"] is None


@pytest.mark.law(9)
def test_a_token_in_an_error_is_masked_in_the_answer():
    body = answers.body(
        422, f"{CANARY} is wrong", "invalid_input", [{"field": f"tags.{CANARY}", "message": CANARY}]
    )

    assert CANARY not in str(body)
    assert body["message"] == "tfy_*** is wrong"
    assert body["details"] == [{"field": "tags.tfy_***", "message": "tfy_***"}]


def test_an_error_below_a_known_one_has_its_status():
    class Narrow(errors.Conflict):
        """A conflict of a plugin's own."""

    assert answers.status_of(Narrow()) == 409
