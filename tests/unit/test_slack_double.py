"""The Slack double, proved with Slack's own client."""

from collections.abc import Iterator

import pytest
import requests
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import FixedValueRetryIntervalCalculator
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from tests.support.slack_double import SlackDouble


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    with SlackDouble() as double:
        double.allow_token("xoxb-good")
        double.add_channel("C1", name="ops")
        yield double


@pytest.fixture
def bot(slack: SlackDouble) -> WebClient:
    return WebClient("xoxb-good", base_url=slack.api_url)


def test_slack_takes_messages_as_json_and_as_a_form(slack, bot):
    posted = bot.chat_postMessage(channel="#ops", text="turned", blocks=[{"type": "divider"}])
    bot.api_call("chat.postMessage", data={"channel": "C1", "text": "again"})

    assert bot.auth_test()["team_id"] == "T0001"
    assert (posted["channel"], posted["message"]["text"]) == ("C1", "turned")
    assert [(channel, it["text"]) for channel, it in slack.messages] == [
        ("C1", "turned"),
        ("C1", "again"),
    ]


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-old", "token_revoked"), ("xoxb-none", "invalid_auth"), ("", "not_authed")],
)
def test_slack_knows_revoked_unknown_and_missing_tokens(slack, token, error):
    slack.allow_token("xoxb-old")
    slack.rotate_token("xoxb-old", "xoxb-new")

    with pytest.raises(SlackApiError) as refused:
        WebClient(token, base_url=slack.api_url).auth_test()

    assert refused.value.response.data == {"ok": False, "error": error}
    assert WebClient("xoxb-new", base_url=slack.api_url).auth_test()["ok"]


@pytest.mark.parametrize(
    ("channel", "text", "error"),
    [
        ("C404", "hello", "channel_not_found"),
        ("C2", "hello", "not_in_channel"),
        ("C3", "hello", "is_archived"),
        ("C1", "", "no_text"),
        ("C1", "x" * 40_001, "msg_too_long"),
    ],
)
def test_slack_refuses_what_cannot_be_posted(slack, bot, channel, text, error):
    slack.add_channel("C2", state="not_in_channel")
    slack.add_channel("C3", state="is_archived")

    with pytest.raises(SlackApiError) as refused:
        bot.api_call("chat.postMessage", json={"channel": channel, "text": text})

    assert (refused.value.response.status_code, refused.value.response["error"]) == (200, error)
    assert slack.messages == []


def test_slack_finds_people_and_writes_to_them(slack, bot):
    slack.add_user("ann@example.com", "U7")
    with pytest.raises(SlackApiError, match="users_not_found"):
        bot.users_lookupByEmail(email="bob@example.com")

    user = bot.users_lookupByEmail(email="ann@example.com")["user"]["id"]
    direct = bot.conversations_open(users=[user])["channel"]["id"]
    bot.chat_postMessage(channel=direct, text="hello")

    assert slack.messages[0][0] == "D7"


def test_slack_names_the_scope_that_is_missing(slack, bot):
    slack.allow_token("xoxb-good", frozenset({"chat:write"}))

    with pytest.raises(SlackApiError) as refused:
        bot.users_lookupByEmail(email="ann@example.com")

    asked = {"needed": "users:read.email", "provided": "chat:write"}
    assert refused.value.response.data == {"ok": False, "error": "missing_scope", **asked}


def test_slack_takes_one_message_per_second_and_channel(slack, bot):
    slack.limit, slack.clock = True, lambda: 100.0
    slack.add_channel("C2")
    bot.chat_postMessage(channel="C1", text="one")
    bot.chat_postMessage(channel="C2", text="one")

    with pytest.raises(SlackApiError, match="ratelimited") as limited:
        bot.chat_postMessage(channel="C1", text="two")
    slack.clock = lambda: 101.0
    bot.chat_postMessage(channel="C1", text="two")

    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "1"
    assert [channel for channel, _ in slack.messages] == ["C1", "C2", "C1"]


def test_slack_out_of_order_shows_a_page(slack, bot):
    slack.fault("POST /api/chat.postMessage", status=503)

    with pytest.raises(SlackApiError) as broken:
        bot.chat_postMessage(channel="C1", text="one")

    assert broken.value.response.status_code == 503
    assert "<html>" in str(broken.value.response.data)


def test_a_slack_post_with_a_lost_answer_is_there_twice_as_the_client_repeats_it(slack, bot):
    slack.fault("POST /api/chat.postMessage", lose_answer=True)
    (default,) = bot.retry_handlers
    default.interval_calculator = FixedValueRetryIntervalCalculator(0)

    bot.chat_postMessage(channel="C1", text="one")

    assert [it["text"] for _, it in slack.messages] == ["one", "one"]


def test_a_slack_webhook_answers_in_plain_words(slack):
    url = slack.add_webhook("T1/B1/secret")
    slack.limit, slack.clock = True, lambda: 100.0
    closed = slack.add_webhook("T1/B1/closed", "action_prohibited")
    archived = slack.add_webhook("T1/B1/archived", "channel_is_archived")

    answers = [WebhookClient(it).send(text="one") for it in (url, closed, archived, url + "x")]

    assert [(answer.status_code, answer.body) for answer in answers] == [
        (200, "ok"),
        (403, "action_prohibited"),
        (410, "channel_is_archived"),
        (404, "no_service"),
    ]
    assert requests.post(url, data="{", timeout=5).text == "invalid_payload"
    assert WebhookClient(url).send(text="two").headers["Retry-After"] == "1"
    assert slack.webhook_messages == [("T1/B1/secret", {"text": "one"})]
