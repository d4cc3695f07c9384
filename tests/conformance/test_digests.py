"""What every notifier keeps when several notices go as one message."""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import replace
from datetime import timedelta
from html import escape, unescape
from typing import Any
from uuid import UUID

import pytest

from core.errors import KeyturnError
from core.events import EventType
from notifiers.base import MOST_IN_DIGEST, Digest, Notice
from notifiers.digests import MOST_ROWS, summary
from notifiers.words import headline
from tests.conformance.email_bench import PERMITTED_TAGS, Page, body_of
from tests.conformance.notifier_bench import Bench
from tests.conformance.notifiers import BENCHES
from tests.conformance.test_notifiers import AT, CANARY, HOSTILE, having, notice
from tests.support.teams_double import MOST_BYTES

KEY = UUID("0195a1b2-0000-7000-8000-0000000d19e5")
LINK = "https://keyturn.example.com/?a=1&b=2"
ALONE = "pagerduty"  # has no digests: each notice is an alert or a change of its own
DIGESTING = sorted(set(BENCHES) - {ALONE})


def numbered(event: EventType, number: int, **facts: Any) -> Notice:
    made = notice(event, **{"account": f"bot-{number:03}", **facts})
    return replace(made, key=UUID(int=number + 1), at=AT + timedelta(seconds=number))


def digest(*notices: Notice, tenant: str = "acme") -> Digest:
    told = sorted(notices, key=lambda one: (-one.severity, one.at))
    return Digest(key=KEY, tenant=tenant, notices=tuple(told), link=LINK)


MIXED = digest(
    *(numbered(EventType.TOKEN_ROTATED, number) for number in range(3)),
    numbered(EventType.SYNC_FAILED, 7),
    numbered(EventType.ROTATION_FAILED, 8),
)


@pytest.fixture(params=DIGESTING)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with BENCHES[request.param]() as made:
        yield made


def test_a_summary_counts_the_worst_first():
    assert summary(MIXED) == "1 rotation failed, 1 store not updated, 3 accounts rotated"


def test_one_account_that_rotated_twice_is_no_two_accounts():
    twice = digest(
        numbered(EventType.TOKEN_ROTATED, 1),
        numbered(EventType.TOKEN_ROTATED, 2, account="bot-001"),
    )

    assert summary(twice) == "2 rotations of 1 account"


@pytest.mark.parametrize("event", sorted(EventType))
def test_every_fact_can_be_counted(event):
    told = summary(digest(numbered(event, 1), numbered(event, 2)))

    assert "2" in told
    assert told.isprintable()


@pytest.mark.parametrize("kind", sorted(BENCHES))
def test_who_has_digests_takes_many_and_the_others_take_one(kind):
    with BENCHES[kind]() as bench:
        assert (bench.notifier().most_in_digest == 1) is (kind == ALONE)
        assert bench.notifier().most_in_digest <= MOST_IN_DIGEST


def test_a_digest_is_one_message_with_every_headline_the_worst_first(bench):
    bench.notifier().send_digest(MIXED, bench.address, bench.ports)

    (told,) = bench.told()
    places = [told.read.index(headline(one)) for one in MIXED.notices]
    assert places == sorted(places)
    assert str(KEY) in told.key
    if bench.kind != "webhook":
        assert summary(MIXED) in told.read
        assert LINK in told.read
    _assert_intact(bench, MIXED)


def test_a_digest_sent_again_carries_the_same_key_and_says_the_same(bench):
    notifier = bench.notifier()

    notifier.send_digest(MIXED, bench.address, bench.ports)
    first = bench.told()[0]
    notifier.send_digest(MIXED, bench.address, bench.ports)

    assert {told.key for told in bench.told()} == {first.key}
    assert {told.read for told in bench.told()} == {first.read}


def test_a_digest_that_stands_in_says_for_whom_and_why(bench):
    absent = {"instead_of": "acme:slack:ws:notification-channel:bot (C1)"}
    because = {"instead_because": "channel_not_found <&>"}
    sent = digest(
        numbered(EventType.TOKEN_ROTATED, 1),
        *(numbered(EventType.TOKEN_ROTATED, number, **absent, **because) for number in (2, 3)),
    )

    bench.notifier().send_digest(sent, bench.address, bench.ports)

    (told,) = bench.told()
    read = unescape(told.read)
    assert absent["instead_of"] in read
    assert "channel_not_found <&>" in read
    if bench.kind not in {"console", "webhook"}:  # which tell all of each
        assert "(2 of these)" in read
    _assert_intact(bench, sent)


def test_without_digests_each_goes_alone_under_its_own_key():
    with BENCHES[ALONE]() as bench:
        bench.notifier().send_digest(MIXED, bench.address, bench.ports)
        bench.notifier().send_digest(MIXED, bench.address, bench.ports)

        keys = {told.key for told in bench.told()}
        assert keys == {str(one.key) for one in MIXED.notices}


def test_the_fullest_digest_fits_into_its_medium(bench):
    most = bench.notifier().most_in_digest
    long = {"account": "é" * 300, "path": "x" * 300, "error": "&" * 5_000}
    full = digest(*(numbered(EventType.SYNC_FAILED, number, **long) for number in range(most)))

    bench.notifier().send_digest(full, bench.address, bench.ports)

    (told,) = bench.told()
    _assert_intact(bench, full)
    if bench.kind in {"email", "slack-bot", "slack-webhook"}:
        assert f"and {most - MOST_ROWS} more" in told.read
    if bench.kind == "ms-teams-webhook":
        assert "more" in told.read


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_name_in_a_digest_breaks_the_medium(bench, hostile):
    names = ("account", "path", "error", "by", "instead_of", "instead_because")
    facts = dict.fromkeys(names, hostile)
    sent = digest(*(numbered(EventType.SYNC_FAILED, n, **facts) for n in (1, 2)), tenant=hostile)

    with redirect_stdout(io.StringIO()) as printed:
        bench.notifier().send_digest(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert "\nBcc:" not in told.sent
    assert len(printed.getvalue().splitlines()) <= 1
    _assert_intact(bench, sent)


def test_a_token_among_the_facts_of_a_digest_is_told_to_nobody(bench):
    facts = {"token": CANARY, "error": f"400 {CANARY} is bad", "account": CANARY}
    sent = digest(*(numbered(EventType.SYNC_FAILED, number, **facts) for number in (1, 2)))
    heard = io.StringIO()

    with redirect_stdout(heard):
        bench.notifier().send_digest(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert "Canary7" not in told.sent + told.read + heard.getvalue()


@pytest.mark.parametrize(
    ("kind", "misfortune"),
    [
        (kind, name)
        for name in ("throttled", "unavailable", "address_refused", "bad_credentials")
        for kind in having(name)
        if kind != ALONE
    ],
)
def test_a_misfortune_of_a_digest_is_that_of_a_notice(kind, misfortune):
    with BENCHES[kind]() as bench:
        expected = getattr(bench, misfortune)()

        with pytest.raises(KeyturnError) as raised:
            bench.notifier(**expected.changes).send_digest(MIXED, bench.address, bench.ports)
        bench.recover()
        bench.notifier().send_digest(MIXED, bench.address, bench.ports)

        assert raised.type is expected.error
        assert getattr(raised.value, "retry_after", None) == expected.retry_after
        assert len(bench.told()) == 1


def _assert_intact(bench: Bench, sent: Digest) -> None:
    """What arrived last is this digest, well formed, and nothing else."""
    _INTACT[bench.kind](bench, sent)


def _letter(bench: Any, sent: Digest) -> None:
    mail = bench.mail.messages[-1]
    assert mail.message["X-Keyturn-Event"] == "digest"
    assert mail.recipients == [bench.address]
    for part in mail.message.walk():
        assert not part.defects
        assert not any(value.defects for value in part.values())
    page = Page(body_of(mail, "html"))
    assert page.text_of("h1") == summary(sent)
    assert page.tags <= PERMITTED_TAGS
    assert page.targets <= {sent.link}
    assert body_of(mail, "plain").startswith(summary(sent) + "\n")


def _blocks(bench: Any, sent: Digest) -> None:
    _, payload = bench.payloads()[-1]
    assert payload["mrkdwn"] is False
    assert unescape(payload["text"]) == summary(sent)
    assert len(payload["blocks"]) <= 50
    assert len(json.dumps(payload)) < 100_000
    for block in payload["blocks"]:
        assert block["type"] in {"header", "section", "context"}
        for text in [*block.get("elements", []), *([block["text"]] if "text" in block else [])]:
            most = 150 if block["type"] == "header" else 3_000
            assert 1 <= len(text["text"]) <= most
            said = text["text"]
            if text["type"] == "mrkdwn":
                assert said == f"<{escape(sent.link, quote=False)}|Open in Keyturn>"
            else:
                assert not {"<", ">"} & set(said)


def _card(bench: Any, sent: Digest) -> None:
    assert bench.double.failures == []
    message = bench.double.posted[-1]
    assert len(json.dumps(message, ensure_ascii=False).encode()) <= MOST_BYTES
    card = message["attachments"][0]["content"]
    heading, told, *others = card["body"]
    assert [run["text"] for run in told["inlines"]] == [summary(sent)]
    for text in [*heading["items"], told, *others]:
        assert text["type"] == "RichTextBlock"  # which knows no Markdown
        assert all(
            run["type"] == "TextRun" and run["text"].isprintable() for run in text["inlines"]
        )
    assert [action["url"] for action in card["actions"]] == [sent.link]


def _array(bench: Any, sent: Digest) -> None:
    told = bench.double.received[-1].data
    assert [one["id"] for one in told] == [str(one.key) for one in sent.notices]
    assert [one["data"]["headline"] for one in told] == [headline(one) for one in sent.notices]
    assert all(one.keys() == {"id", "type", "timestamp", "data"} for one in told)


def _file(bench: Any, sent: Digest) -> None:
    newest = max((bench.root / "box").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    kept = json.loads(newest.read_text())
    assert (kept["type"], kept["headline"]) == ("digest", summary(sent))
    assert [one["key"] for one in kept["notices"]] == [str(one.key) for one in sent.notices]
    assert sum(kept["counts"].values()) == len(sent.notices)


_INTACT: dict[str, Callable[[Any, Digest], None]] = {
    "email": _letter,
    "slack-bot": _blocks,
    "slack-webhook": _blocks,
    "ms-teams-webhook": _card,
    "webhook": _array,
    "console": _file,
}
