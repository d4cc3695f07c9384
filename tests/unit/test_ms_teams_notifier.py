"""Microsoft Teams: cards that workflows accept, of which no name makes anything but text."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import SEVERITY, TOLD, EventType
from notifiers.base import Notice
from notifiers.ms_teams import TeamsWebhookNotifier
from notifiers.teams_card import MOST_BYTES, message
from notifiers.texts import LABELS
from tests.support.lending import lent
from tests.support.teams_double import TeamsDouble

PORTS = lent()
NOTICE = Notice(
    UUID(int=7),
    EventType.SYNC_FAILED,
    SEVERITY[EventType.SYNC_FAILED],
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    "acme",
    {"account": "ci", "path": "prod/ci", "error": "403 denied"},
    "https://keyturn.example.com/accounts/1",
)


@pytest.fixture
def teams() -> Iterator[TeamsDouble]:
    with TeamsDouble() as double:
        yield double


def notifier(url: str, **changes: Any) -> TeamsWebhookNotifier:
    return TeamsWebhookNotifier.model_validate({"auth_data": {"webhook_url": url}, **changes})


def noticed(**changes: Any) -> Notice:
    return Notice(**{**vars(NOTICE), **changes})


def card(notice: Notice) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(message(notice))["attachments"][0]["content"]
    return found


def runs(notice: Notice) -> list[str]:
    return [
        run["text"]
        for block in card(notice)["body"]
        for inner in block.get("items", [block])
        for run in inner["inlines"]
    ]


def test_a_card_says_what_happened_and_what_to_do(teams):
    notifier(teams.add_workflow("w1", "CANARY")).send(NOTICE, "", PORTS)

    (posted,) = teams.posted
    assert posted["type"] == "message"
    assert runs(NOTICE) == [
        "Store not updated",
        "ci: prod/ci did not take the new token: 403 denied",
        "Path: ",
        "prod/ci",
        "Error: ",
        "403 denied",
        "What to do: ",
        "It will not be retried: change the path or the secret there, then sync now.",
        "Warning · 2026-03-02 09:00 UTC · tenant acme",
    ]
    assert card(NOTICE)["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open in Keyturn", "url": NOTICE.link}
    ]


def test_names_are_text_and_nothing_else():
    hostile = "**bold** [click](https://evil.example) <at>all</at> {{DATE(2017-02-14T06:00:00Z)}}"

    told = runs(noticed(facts={"account": hostile, "path": hostile}, tenant=hostile))

    assert f"{hostile}: {hostile} did not take the new token: -" in told
    assert hostile in told


@pytest.mark.parametrize(
    ("event", "style"),
    [
        (EventType.TOKEN_ROTATED, "accent"),
        (EventType.SYNC_FAILED, "warning"),
        (EventType.LANE_PAUSED, "attention"),
    ],
)
def test_how_much_it_needs_a_human_shows_in_its_colour(event, style):
    told = noticed(type=event, severity=SEVERITY[event])

    assert card(told)["body"][0]["style"] == style


def test_a_link_that_is_none_makes_no_button():
    assert card(noticed(link="javascript:alert(1)"))["actions"] == []


@given(
    event=st.sampled_from(sorted(TOLD)),
    facts=st.dictionaries(
        st.sampled_from(["account", *LABELS]),
        st.text(max_size=400) | st.text(alphabet="🔑\\\"'`*_[]()<>&", min_size=200, max_size=400),
    ),
    tenant=st.text(max_size=300),
)
@settings(max_examples=80, deadline=None, database=None)
def test_every_card_keeps_within_the_limit_and_is_json(event, facts, tenant):
    told = noticed(type=event, severity=SEVERITY[event], facts=facts, tenant=tenant)

    assert len(message(told)) <= MOST_BYTES
    assert all(text.isprintable() for text in runs(told))


def test_figures_that_do_not_fit_are_left_out_and_the_rest_stays():
    facts = dict.fromkeys(LABELS, '\\"' * 5_000)
    told = noticed(facts={**facts, "account": "🔑" * 5_000}, link="https://x/" + "é" * 10)

    large = noticed(facts={**facts, **dict.fromkeys(LABELS, "🔑" * 5_000)})

    assert len(message(told)) <= MOST_BYTES
    assert len(message(large)) <= MOST_BYTES
    assert runs(large)[0] == "Store not updated"
    assert runs(large)[-1].startswith("Warning")


def test_a_card_that_is_sent_again_has_the_same_id():
    ids = {card(told)["body"][1]["id"] for told in (NOTICE, noticed(tenant="other"))}

    assert ids == {f"keyturn-{NOTICE.key}"}


@pytest.mark.parametrize("status", [200, 201, 204])
def test_an_answer_that_no_workflow_gives_is_no_success(teams, status):
    made = notifier(teams.add_workflow("w1", "CANARY"))
    teams.fault("POST *", status=status, body="1")

    with pytest.raises(DestinationRefused, match=str(status)):
        made.send(NOTICE, "", PORTS)


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (400, "WorkflowTriggerIsNotEnabled", DestinationRefused),
        (400, "TriggerInputSchemaMismatch", PlaceRefused),
        (401, "DirectApiAuthorizationRequired", DestinationRefused),
        (404, "WorkflowNotFound", DestinationRefused),
        (429, "WorkflowRunActionRateLimitExceeded", Transient),
        (502, "NoResponse", Transient),
    ],
)
def test_a_refusal_is_told_by_its_code(teams, status, code, error):
    body = {"error": {"code": code, "message": "CANARY: sig=CANARY"}}
    teams.fault("POST *", status=status, body=body)

    with pytest.raises(error, match=code) as raised:
        notifier(teams.add_workflow("w1", "CANARY")).send(NOTICE, "", PORTS)

    assert type(raised.value) is error
    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize("body", ["<html>CANARY", "[]", '{"error": "CANARY"}', '{"error": {}}'])
def test_an_answer_in_other_words_is_not_quoted(teams, body):
    teams.fault("POST *", status=403, body=body)

    with pytest.raises(DestinationRefused) as raised:
        notifier(teams.add_workflow("w1", "CANARY")).send(NOTICE, "", PORTS)

    assert str(raised.value) == "Teams refused (403)"


def test_a_code_that_is_no_word_is_not_quoted(teams):
    teams.fault("POST *", status=403, body={"error": {"code": "CANARY said\nmuch"}})

    with pytest.raises(DestinationRefused) as raised:
        notifier(teams.add_workflow("w1", "CANARY")).send(NOTICE, "", PORTS)

    assert str(raised.value) == "Teams refused (403)"


def test_a_connector_that_is_retired_is_told_by_the_check():
    url = "https://acme.webhook.office.com/webhookb2/CANARY"

    with pytest.raises(DestinationRefused, match="make a workflow") as raised:
        notifier(url).check(PORTS)

    assert "CANARY" not in str(raised.value)


def test_a_check_posts_nothing(teams):
    found = notifier(teams.add_workflow("w1", "CANARY")).check(PORTS)

    assert "by posting" in found
    assert teams.requests == []


def test_a_workflow_gets_one_card_a_second(teams):
    made = notifier(teams.add_workflow("w1", "CANARY"))

    assert (made.pace.per_second, made.pace.concurrency, made.pace.send_limit) == (1, 1, 15)
    assert made.quota_key("") == notifier(teams.add_workflow("w1", "CANARY")).quota_key("")
    assert made.quota_key("") != notifier(teams.add_workflow("w2", "CANARY")).quota_key("")
    assert "CANARY" not in made.quota_key("")


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook_url": "http://example.com/CANARY"},
        {"webhook_url": "CANARY"},
        {"webhook_url": "https://x/CANARY", "type": "slack-webhook"},
        {"webhook_url": "https://x/CANARY", "token": "CANARY"},
    ],
)
def test_a_wrong_integration_is_refused_without_being_quoted(wrong):
    with pytest.raises(ValidationError) as raised:
        TeamsWebhookNotifier.model_validate({"auth_data": wrong})

    assert "CANARY" not in str(raised.value)
