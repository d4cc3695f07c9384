"""What every notifier keeps, whatever its medium."""

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import redirect_stdout
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.dial import AddressRules
from core.errors import DestinationRefused, KeyturnError, Transient
from core.events import SEVERITY, TOLD, EventType
from core.plugins import MASK, Family, kinds, load
from notifiers.base import Notice
from notifiers.words import figures, headline, next_step
from services.outbound import GuardedDialer
from tests.conformance.notifier_bench import MISFORTUNES, Bench
from tests.conformance.notifiers import BENCHES
from tests.support.lending import lent
from tests.support.ports import LOOPBACK

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
CANARY = "tfy_vat_CANARY7Canary7Canary7Canary7Canary7Canary7Canary"
KEY = UUID("0195a1b2-0000-7000-8000-00000000cafe")
FACTS = {
    "account": "ci-bot",
    "generation": 4,
    "generations": [3, 4],
    "last_four": "x9Qz",
    "grace_until": "2026-03-03T09:00:00Z",
    "hold_until": "2026-03-10T09:00:00Z",
    "next_rotation_at": "2026-04-02T09:00:00Z",
    "by": "ann@example.com",
    "path": "prod/ci-bot/token",
    "lane": "hashicorp/vault",
    "address": "C0001",
    "error": "503 Service Unavailable",
    "reason": "a required store is paused",
    "will_retry": True,
    "cause": "scheduled",
}


def notice(event: EventType = EventType.TOKEN_ROTATED, tenant: str = "acme", **facts) -> Notice:
    return Notice(
        key=KEY,
        type=event,
        severity=SEVERITY[event],
        at=AT,
        tenant=tenant,
        facts={**FACTS, **facts},
        link="https://keyturn.example.com/accounts/0195?a=1&b=2",
    )


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=sorted(BENCHES))
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with BENCHES[request.param]() as made:
        yield made


def having(*misfortunes: str) -> list[str]:
    return [kind for kind in sorted(BENCHES) if not BENCHES[kind].lacks.keys() & set(misfortunes)]


def test_every_registered_notifier_has_a_bench():
    registered = {
        kind
        for kind in kinds(Family.NOTIFIER)
        if not load(Family.NOTIFIER, kind).__module__.startswith("keyturn_test_plugins.")
    }

    assert registered == set(BENCHES)


@pytest.mark.parametrize("kind", sorted(BENCHES))
def test_a_bench_has_every_misfortune_or_says_why_not(kind):
    missing = {name for name in MISFORTUNES if not hasattr(BENCHES[kind], name)}

    assert missing == BENCHES[kind].lacks.keys() - {"rotated_credentials", "turned_inward"}


@pytest.mark.parametrize("kind", sorted(BENCHES))
def test_every_notifier_is_documented(kind):
    overview = (Path(__file__).parents[2] / "docs/notifiers/README.md").read_text()

    assert f"`integration/notification-channel/{kind}`" in overview


def test_a_notice_arrives_once_with_headline_figures_and_link(bench):
    sent = notice()

    bench.notifier().send(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert headline(sent) in told.read
    assert "Next rotation" in told.read or "next_rotation_at" in told.sent
    assert "x9Qz" in told.read
    assert sent.link in told.read
    bench.assert_intact(sent)


def test_a_notice_that_stands_in_says_for_whom_and_why(bench):
    sent = notice(
        instead_of="acme:slack:ws:notification-channel:bot (C1)",
        instead_since="2026-03-02T08:00:00Z",
        instead_because="channel_not_found",
    )

    bench.notifier().send(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert "acme:slack:ws:notification-channel:bot (C1)" in told.read
    assert "2026-03-02 08:00 UTC" in told.read or "2026-03-02T08:00:00Z" in told.sent
    assert "channel_not_found" in told.read
    bench.assert_intact(sent)


def test_a_notice_sent_again_carries_the_same_key_and_another_one_another(bench):
    notifier = bench.notifier()
    keys = []

    for sent in (notice(), notice(), Notice(**{**vars(notice()), "key": UUID(int=7)})):
        notifier.send(sent, bench.address, bench.ports)
        keys.append({told.key for told in bench.told()})

    assert len(keys[1]) == 1
    assert str(KEY) in keys[1].pop()
    assert len(keys[2]) == 2


@pytest.mark.parametrize("event", sorted(TOLD))
def test_everything_that_people_are_told_reads_well(bench, event):
    sent = notice(event)

    bench.notifier().send(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert headline(sent) in told.read
    assert bench.kind == "console" or next_step(sent) in told.read
    bench.assert_intact(sent)


@pytest.mark.parametrize("event", sorted(EventType))
def test_a_fact_without_its_figures_is_still_told(bench, event):
    sent = Notice(KEY, event, SEVERITY[event], AT, "acme", {}, "")

    bench.notifier().send(sent, bench.address, bench.ports)

    (told,) = bench.told()
    assert headline(sent) in told.read


@pytest.mark.parametrize(
    ("kind", "misfortune"),
    [(kind, name) for name in MISFORTUNES for kind in having(name)],
)
def test_a_misfortune_becomes_the_right_error_quotes_no_secret_and_passes(
    kind, misfortune, caplog, capsys
):
    caplog.set_level(logging.DEBUG)
    with BENCHES[kind]() as bench:
        expected = getattr(bench, misfortune)()
        notifier = bench.notifier(**expected.changes)

        with pytest.raises(KeyturnError) as raised:
            notifier.send(notice(), bench.address, bench.ports)
        arrived = len(bench.told())
        bench.recover()
        bench.notifier().send(notice(), bench.address, bench.ports)

        assert raised.type is expected.error
        assert getattr(raised.value, "retry_after", None) == expected.retry_after
        assert getattr(raised.value, "throttled", False) is expected.throttled
        assert arrived == expected.arrives
        assert len({told.key for told in bench.told()}) == 1
        assert len(bench.told()) == 1 + expected.arrives
        assert raised.value.__suppress_context__ or raised.value.__context__ is None
        assert len(str(raised.value)) < 400
        said = "".join([*traceback.format_exception(raised.value), repr(raised.value), caplog.text])
        _assert_clean(said + "".join(capsys.readouterr()), ("CANARY", *bench.secrets))


@pytest.mark.parametrize("kind", having("rotated_credentials"))
def test_old_credentials_are_refused_and_new_ones_taken_after_a_rotation(kind):
    with BENCHES[kind]() as bench:
        old = bench.notifier()
        old.send(notice(), bench.address, bench.ports)
        new = bench.notifier(**bench.rotate_credentials())

        with pytest.raises(DestinationRefused):
            old.send(notice(), bench.address, bench.ports)
        new.send(notice(), bench.address, bench.ports)

        assert len(bench.told()) == 2


@pytest.mark.parametrize("kind", having("turned_inward"))
def test_a_name_that_turns_inward_is_refused_when_it_is_called(kind):
    outward, inward = "127.0.0.2", "127.0.0.1"  # nothing answers at the first
    resolved = iter([outward, inward])
    rules = AddressRules(allowed=[ip_network(outward)])
    dialer = GuardedDialer(rules, resolve=lambda *_, **__: [(None, (next(resolved), 0))])
    with BENCHES[kind]() as bench:
        notifier = bench.notifier(**bench.elsewhere("channel.example.com"))

        with pytest.raises(Transient):
            notifier.send(notice(), bench.address, lent(network=dialer))
        with pytest.raises(DestinationRefused, match="own host") as refused:
            notifier.send(notice(), bench.address, lent(network=dialer))

        assert bench.told() == []
        _assert_clean("".join(traceback.format_exception(refused.value)), bench.secrets)


@pytest.mark.parametrize("kind", having("turned_inward"))
def test_no_proxy_of_the_environment_is_used(kind, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, f"http://{LOOPBACK}:1")
        monkeypatch.setenv(name.upper(), f"http://{LOOPBACK}:1")
    with BENCHES[kind]() as bench:
        bench.notifier().send(notice(), bench.address, bench.ports)

        assert len(bench.told()) == 1


def test_a_check_says_in_a_sentence_what_was_found_and_tells_nobody(bench):
    found = bench.notifier().check(bench.ports)

    assert 5 <= len(found) <= 300
    _assert_clean(found, bench.secrets)
    assert bench.told() == []


def test_a_check_raises_what_a_send_would(bench, caplog):
    caplog.set_level(logging.DEBUG)

    for notifier, ports, expected in bench.failing_checks():
        with pytest.raises(KeyturnError) as raised:
            notifier.check(ports)
        assert raised.type is expected
        _assert_clean(str(raised.value) + caplog.text, ("CANARY", *bench.secrets))


def test_no_secret_shows_in_a_notifier(bench):
    notifier = bench.notifier()

    shown = f"{notifier!r} {notifier} {notifier.masked(bench.config())} {notifier.model_dump()}"

    _assert_clean(shown, bench.secrets)
    assert not bench.secrets or MASK in shown


def test_a_token_among_the_facts_is_told_to_nobody(bench):
    sent = notice(
        EventType.SYNC_FAILED, token=CANARY, old={"token": CANARY}, error=f"400 {CANARY} is bad"
    )
    heard = io.StringIO()

    with redirect_stdout(heard):
        bench.notifier().send(sent, bench.address, bench.ports)

    (told,) = bench.told()
    _assert_clean(told.sent + told.read + heard.getvalue(), ("CANARY", "Canary7"))


def test_the_longest_that_a_send_takes_is_known(bench):
    pace = bench.notifier().pace

    assert 0 < pace.send_limit <= 185
    assert 1 <= pace.concurrency <= 8


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "*mrkdwn* _of_ ~all~ `kinds` ```x```",
    "<!channel> <!here> <@U0001> @here <https://evil.example|click>",
    "ann\r\nBcc: eve@example.com\r\n\r\nhello",
    "=?utf-8?q?=0ABcc:_eve=40example.com?=",
    "--=_0195a1b200007000800000000000cafe--",
    "{{ 7 * 7 }} {% raw %} {account} {0} %s",
    "\x00\x1b[31m\x07\u202egnp\u2028\u2029\ud800\U0001f511",
    "&amp; &lt; &#60;",
    "&" * 5_000,
    "é" * 5_000,
    "x" * 5_000,
    ". \r\n.\r\n",
)
names = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=300),
    st.text(alphabet=st.sampled_from("<>&*`_|!@#=?\r\n\t \"'-é🔑"), max_size=600),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join),
)


@pytest.mark.parametrize("kind", sorted(BENCHES))
def test_no_name_breaks_the_medium(kind):
    with BENCHES[kind]() as bench:
        notifier = bench.notifier()

        @given(
            event=st.sampled_from(sorted(TOLD)),
            facts=st.dictionaries(st.sampled_from(sorted(FACTS)), names),
            tenant=names,
        )
        @settings(
            max_examples=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        def send_and_look(event: EventType, facts: dict[str, str], tenant: str) -> None:
            sent = notice(event, tenant, **facts)
            with redirect_stdout(io.StringIO()) as printed:
                notifier.send(sent, bench.address, bench.ports)
            bench.assert_intact(sent)
            assert len(printed.getvalue().splitlines()) <= 1

        send_and_look()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_each_known_attack_arrives_as_harmless_text(bench, hostile):
    sent = notice(EventType.SYNC_FAILED, hostile, **dict.fromkeys(FACTS, hostile))

    bench.notifier().send(sent, bench.address, bench.ports)

    bench.assert_intact(sent)
    (told,) = bench.told()
    assert "\nBcc:" not in told.sent.partition("\n\n")[0]
    assert all(len(value) <= 300 for _, value in figures(sent))


def _assert_clean(text: str, secrets: tuple[str, ...]) -> None:
    assert [secret for secret in secrets if secret in text] == []
