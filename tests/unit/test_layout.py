"""How tokens are laid out in places."""

import json
import shlex

import pytest
from pydantic import SecretStr, ValidationError

from core.layout import BARE, Layout

TOKEN = SecretStr("tfy_vat_secret")
FACTS = {"account": "ci-bot", "generation": "3", "rotated-at": "2026-03-02T09:00:00Z"}


def text(layout: Layout, facts=FACTS) -> str:
    return layout.text(TOKEN, facts).get_secret_value()


def test_a_bare_token_is_the_token():
    assert text(BARE) == "tfy_vat_secret"
    assert BARE.entries(TOKEN, FACTS) == {"token": "tfy_vat_secret"}


def test_a_json_document_has_the_names_that_clients_look_for_unless_others_are_chosen():
    assert json.loads(text(Layout(form="json"))) == {
        "TFY_API_KEY": "tfy_vat_secret",
        "OPENAI_API_KEY": "tfy_vat_secret",
    }


def test_chosen_fields_say_what_was_chosen_and_nothing_else():
    layout = Layout(form="json", fields={"key": "token", "of": "account", "next": "next-rotation"})

    assert json.loads(text(layout)) == {"key": "tfy_vat_secret", "of": "ci-bot", "next": ""}
    assert layout.entries(TOKEN, FACTS) == json.loads(text(layout))


def test_dotenv_is_read_by_a_shell_as_it_was_meant():
    layout = Layout(form="dotenv", fields={"KEY": "token", "OF": "account"})

    said = text(layout, {"account": 'a "b" $HOME \\ c'})

    assert said.startswith("KEY=tfy_vat_secret\n")
    assert shlex.split(said)[1] == 'OF=a "b" $HOME \\ c'


def test_the_same_facts_are_the_same_bytes():
    layout = Layout(form="json", fields={"b": "token", "a": "generation"})

    assert text(layout) == text(layout, dict(reversed(FACTS.items())))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fields": {"a": "token"}}, "fields belong to the forms json and dotenv"),
        ({"form": "json", "fields": {"a": "account"}}, "one of the fields has to be the token"),
        ({"form": "dotenv", "fields": {"a-b": "token"}}, "letters, digits and underscores"),
        ({"form": "json", "fields": {}}, "at least 1 item"),
        ({"form": "json", "fields": {"a": "password"}}, "Input should be 'token', 'account'"),
        ({"form": "xml"}, "'bare', 'json' or 'dotenv'"),
    ],
)
def test_a_layout_that_makes_no_sense_is_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        Layout.model_validate(given)
