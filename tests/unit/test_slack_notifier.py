"""Slack where it differs from other media: errors by word, limits, redirects, quotas."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from uuid import UUID

import pytest
from pydantic import ValidationError

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.events import EventType, Severity
from notifiers.base import Notice
from notifiers.blocks import blocks, escaped
from notifiers.slack import SlackBotNotifier, SlackWebhookNotifier
from tests.support.lending import lent
from tests.support.slack_double import SlackDouble

PORTS = lent()
TOKEN = "xoxb-CANARY-1"
NOTICE = Notice(
    key=UUID("0195a1b2-0000-7000-8000-00000000cafe"),
    type=EventType.HOLD_EXHAUSTED,
    severity=Severity.CRITICAL,
    at=datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    tenant="acme",
    facts={"account": "ci-bot", "generation": 4},
    link="https://keyturn.example.com/accounts/1",
)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    with SlackDouble() as double:
        double.allow_token(TOKEN)
        double.add_channel("C1", name="ops")
        yield double


def bot(slack: SlackDouble, **changes: object) -> SlackBotNotifier:
    given = {"auth_data": {"bot_token": TOKEN}, "endpoint_url": slack.api_url, "timeout": 5}
    return SlackBotNotifier.model_validate({**given, **changes})


def hook(url: str) -> SlackWebhookNotifier:
    return SlackWebhookNotifier.model_validate({"auth_data": {"webhook_url": url}, "timeout": 5})


@pytest.mark.parametrize(
    ("word", "error"),
    [
        ("channel_not_found", PlaceRefused),
        ("not_in_channel", PlaceRefused),
        ("is_archived", PlaceRefused),
        ("action_prohibited", PlaceRefused),
        ("channel_is_archived", PlaceRefused),
        ("msg_too_long", PlaceRefused),
        ("a_word_of_next_year", PlaceRefused),
        ("invalid_auth", DestinationRefused),
        ("token_revoked", DestinationRefused),
        ("account_inactive", DestinationRefused),
        ("not_authed", DestinationRefused),
        ("missing_scope", DestinationRefused),
        ("internal_error", Transient),
        ("ratelimited", Transient),
    ],
)
def test_what_slack_refuses_a_bot_concerns_the_channel_or_everything(slack, word, error):
    slack.add_channel("C2", state=word)

    with pytest.raises(error, match=word) as raised:
        bot(slack).send(NOTICE, "C2", PORTS)

    assert raised.type is error


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ("no_service", DestinationRefused),
        ("action_prohibited", DestinationRefused),
        ("channel_is_archived", DestinationRefused),
    ],
)
def test_a_webhook_has_one_channel_only(slack, state, error):
    made = hook(slack.add_webhook("T1/B1/CANARY", state))

    with pytest.raises(error, match=state) as raised:
        made.send(NOTICE, "", PORTS)

    assert "CANARY" not in str(raised.value)


def test_a_message_that_a_webhook_cannot_read_concerns_that_message(slack):
    made = hook(slack.add_webhook("T1/B1/CANARY"))
    slack.fault("POST *", status=400, body="invalid_payload")

    with pytest.raises(PlaceRefused, match="invalid_payload"):
        made.send(NOTICE, "", PORTS)


@pytest.mark.parametrize("word", ["page", "{}", "[]", '{"ok": true}'])
def test_an_answer_that_slack_does_not_give_is_no_success(slack, word):
    made = hook(slack.add_webhook("T1/B1/CANARY"))
    slack.fault("POST *", body=word, times=2)

    with pytest.raises(DestinationRefused):
        made.send(NOTICE, "", PORTS)
    if word != '{"ok": true}':
        with pytest.raises((DestinationRefused, PlaceRefused)):
            bot(slack).send(NOTICE, "C1", PORTS)


def test_the_token_follows_no_redirect(slack):
    with SlackDouble() as elsewhere:
        elsewhere.allow_token(TOKEN)
        elsewhere.add_channel("C1")
        for status in (301, 302, 303, 307, 308):
            slack.fault("POST *", status=status, headers={"Location": elsewhere.api_url})

            with pytest.raises(DestinationRefused, match=str(status)):
                bot(slack).send(NOTICE, "C1", PORTS)

        assert elsewhere.requests == []


def test_a_message_is_sent_once_however_the_connection_ends(slack):
    slack.fault("POST *", lose_answer=True)

    with pytest.raises(Transient):
        bot(slack).send(NOTICE, "C1", PORTS)

    assert len(slack.messages) == 1


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        ("30", timedelta(seconds=30)),
        ("999999999999999999", timedelta(hours=1)),
        ("soon", None),
        ("-5", None),
        ("", None),
    ],
)
def test_the_pause_that_slack_asks_for_is_kept_within_reason(slack, asked, waits):
    slack.fault("POST *", status=429, headers={"Retry-After": asked})

    with pytest.raises(Transient) as raised:
        bot(slack).send(NOTICE, "C1", PORTS)

    assert (raised.value.retry_after, raised.value.throttled) == (waits, True)


def test_a_check_names_workspace_and_bot(slack):
    found = bot(slack).check(PORTS)

    assert found == "posts to the workspace Keyturn as keyturn"


def test_a_check_finds_a_missing_permission(slack):
    body = {"ok": True, "team": "Keyturn", "user": "keyturn"}
    for granted in ("users:read,chat:write", "users:read, chat:write.public"):
        slack.fault("POST *auth.test", body=body, headers={"X-OAuth-Scopes": granted})

    assert bot(slack).check(PORTS).startswith("posts")
    with pytest.raises(DestinationRefused, match="chat:write"):
        bot(slack).check(PORTS)


def test_a_check_of_a_webhook_posts_nothing(slack):
    found = hook(slack.add_webhook("T1/B1/CANARY")).check(PORTS)

    assert "only be tried by posting" in found
    assert slack.requests == []


def test_each_channel_has_its_lane_and_quota_and_a_webhook_one(slack):
    mine, other = bot(slack), bot(slack, auth_data={"bot_token": "xoxb-2"})
    url = slack.add_webhook("T1/B1/CANARY")

    assert mine.lane_address("C1") == "C1"
    assert hook(url).lane_address("") == ""
    assert mine.quota_key("C1") == bot(slack).quota_key("C1")
    assert len({mine.quota_key("C1"), mine.quota_key("C2"), other.quota_key("C1")}) == 3
    assert hook(url).quota_key("") == hook(url).quota_key("")
    assert "CANARY" not in f"{mine.quota_key('C1')} {hook(url).quota_key('')}"


def test_a_channel_gets_one_message_a_second(slack):
    pace = bot(slack).pace

    assert (pace.per_second, pace.cost, pace.concurrency, pace.send_limit) == (1, 1, 1, 10)


def test_a_bot_needs_a_channel(slack):
    with pytest.raises(PlaceRefused, match="channel"):
        bot(slack).send(NOTICE, "", PORTS)

    assert slack.requests == []


def test_names_cannot_call_people_or_set_links():
    told = Notice(**{**vars(NOTICE), "facts": {"account": "<!channel>", "by": "`<@U1>` & *b*"}})

    made = blocks(told)

    assert made[1]["text"]["text"].startswith("&lt;!channel&gt;: the old token")
    assert made[1]["text"]["type"] == "plain_text"
    assert made[2]["fields"][0]["text"] == "*By*\n`'&lt;@U1&gt;' &amp; *b*`"


@pytest.mark.parametrize("most", [1, 2, 7, 50])
def test_escaped_text_keeps_within_its_limit_and_is_never_cut_inside_an_entity(most):
    text = escaped("<&>" * 40, most)

    assert len(text) <= most
    assert set(unescape(text)) <= set("<&>…")


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth_data": {"bot_token": ""}},
        {"auth_data": {"bot_token": "xoxb-CANARY\r\nHost: evil"}},
        {"auth_data": {"bot_token": "xoxb-CANARYü"}},
        {"endpoint_url": "http://slack.example.com/api/CANARY"},
        {"auth_data": {"type": "slack-webhook", "bot_token": "xoxb-CANARY"}},
    ],
)
def test_a_wrong_bot_is_refused_without_being_quoted(wrong):
    with pytest.raises(ValidationError) as raised:
        SlackBotNotifier.model_validate({"auth_data": {"bot_token": "xoxb-1"}, **wrong})

    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://hooks.slack.com/services/T1/B1/CANARY", "CANARY", "https://x y/CANARY"]
)
def test_a_wrong_webhook_is_refused_without_being_quoted(url):
    with pytest.raises(ValidationError) as raised:
        hook(url)

    assert "CANARY" not in str(raised.value)


def test_the_environments_proxy_is_not_used(slack, monkeypatch):
    url = slack.add_webhook("T1/B1/CANARY")
    with SlackDouble() as proxy:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("no_proxy", "")

        bot(slack).send(NOTICE, "C1", PORTS)
        hook(url).send(NOTICE, "", PORTS)

        assert proxy.requests == []
        assert (len(slack.messages), len(slack.webhook_messages)) == (1, 1)
