"""No name, tag or address breaks a medium's syntax, whoever wrote the texts around it."""

import json
from email import message_from_bytes, policy
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.events import SEVERITY
from notifiers.base import Notice
from notifiers.blocks import message as slack_message
from notifiers.email import EmailNotifier
from notifiers.pagerduty_events import events as pagerduty_events
from notifiers.rendering import letter
from notifiers.samples import SAMPLED, sample
from notifiers.teams_card import MOST_BYTES
from notifiers.teams_card import message as teams_message
from notifiers.texts import LABELS, UNLABELLED
from notifiers.webhook_payload import payload
from notifiers.words import headline, next_step

SECRET = "CANARY7" * 7
CANARY = f"tfy_vat_{SECRET}"
_VOID = {"meta", "img", "br"}
_MAIL = EmailNotifier(from_email="keyturn@example.org", auth_data={"host": "mail.example.org"})

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><a href='https://evil.example'>x</a>",
    '"><img src=x onerror=alert(1)>',
    "-->\n<![endif]--><b>",
    "<!channel> <@U0001> <https://evil.example|click>",
    "[click](https://evil.example) **bold** `code` ```x``` {{DATE(2026-03-02T09:00:00Z)}}",
    "ann\r\nBcc: eve@example.com\r\n\r\nhello",
    "=?utf-8?q?=0ABcc:_eve=40example.com?=",
    "{{ 7 * 7 }} {% raw %} {account} %s",
    "\x00\x1b[31m\x07\u202egnp\u2066\u2028\ud800\U0001f511",
    CANARY,
    f"x{CANARY}",
]
hostile = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=200),
    st.text(st.sampled_from("<>&*`_~|[]()!@#=?\r\n\t \"'-é\u202e{}%"), max_size=300),
    st.lists(st.sampled_from(HOSTILE), max_size=3).map("".join),
)
facts = st.dictionaries(st.sampled_from(sorted({*LABELS, *UNLABELLED, "token"})), hostile)
links = st.one_of(hostile, st.just("https://keyturn.example.com/acknowledge?token=x&y=|>"))
# Texts of an operator who shows whatever a user has chosen, wherever it goes.
_CARELESS = "".join(
    f"{{% block {block} %}}*{{{{ account }}}}* <{{{{ error }}}}> {{{{ by }}}}{{% endblock %}}"
    for block in ("title", "headline", "next_step", "why")
)


@pytest.fixture(scope="module")
def careless():
    with TemporaryDirectory() as folder:
        (Path(folder) / "events").mkdir()
        (Path(folder) / "events/other.j2").write_text(_CARELESS)
        for event in SAMPLED:
            (Path(folder) / f"events/{event.value}.j2").write_text(_CARELESS)
        yield Path(folder)


@pytest.fixture(params=[False, True], ids=["our texts", "careless texts"])
def templates(request, careless):
    return careless if request.param else None


def anything(test):
    """Runs a test with hostile notices."""
    made = st.builds(
        lambda event, known, tenant, link, zone: Notice(
            **{
                **vars(sample(event)),
                "severity": SEVERITY[event],
                "facts": known,
                "tenant": tenant,
                "link": link,
                "acknowledge": link,
                "timezone": zone,
            }
        ),
        st.sampled_from(SAMPLED),
        facts,
        hostile,
        links,
        st.one_of(st.sampled_from(["Europe/Berlin", "America/St_Johns", "UTC"]), hostile),
    )
    kept = settings(max_examples=60, deadline=None, database=None)
    return kept(given(notice=made)(test))


def written_by(notice: Notice, templates: Path | None) -> Notice:
    return Notice(**{**vars(notice), "templates": templates})


class StrictPage(HTMLParser):
    """A page whose elements are closed as they were opened."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, tuple[str, ...]]] = []
        self.links: set[str] = set()
        self.feed(source)
        self.close()
        assert self.open == []
        assert self.rawdata == ""

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, tuple(name for name, _ in attrs)))
        self.links |= {value for name, value in attrs if name in {"href", "src"}}
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def shape_of(notice: Notice) -> set[tuple[str, tuple[str, ...]]]:
    return set(StrictPage(letter(notice).html).seen)


def test_a_page_has_no_element_but_ours(templates):
    allowed = set().union(*(shape_of(sample(event)) for event in SAMPLED))

    @anything
    def look(notice):
        told = written_by(notice, templates)
        page = StrictPage(letter(told).html)
        assert set(page.seen) <= allowed
        assert page.links <= {notice.link, notice.acknowledge}
        assert all(link.startswith("https://") for link in page.links)
        assert SECRET[:28] not in letter(told).html

    look()


def test_a_letter_has_no_header_but_ours(templates):
    @anything
    def look(notice):
        told = written_by(notice, templates)
        mail = message_from_bytes(
            _MAIL.message(told, "ann@example.com").as_bytes(), policy=policy.default
        )
        assert [name for name in mail if name.lower() in {"bcc", "cc"}] == []
        assert mail["To"] == "ann@example.com"
        assert mail["Subject"].isprintable()
        assert [part.get_content_type() for part in mail.iter_parts()] == [
            "text/plain",
            "text/html",
        ]
        assert not any(part.defects for part in mail.walk())
        text = mail.get_body(("plain",)).get_content()
        assert all(line.isprintable() for line in text.splitlines())
        assert SECRET[:28] not in text

    look()


def test_slack_gets_blocks_within_its_limits_and_no_markup_but_ours(templates):
    @anything
    def look(notice):
        told = written_by(notice, templates)
        made = slack_message(told)
        assert SECRET[:28] not in json.dumps(made)
        assert len(made["blocks"]) <= 50
        assert unescape(made["text"]) == headline(told)
        for block in made["blocks"]:
            assert block["type"] in {"header", "section", "context"}
            assert len(block.get("fields", [])) <= 10
            for text in [block.get("text"), *block.get("fields", []), *block.get("elements", [])]:
                if text is None:
                    continue
                most = 150 if block["type"] == "header" else 2_000 if block.get("fields") else 3_000
                assert 1 <= len(text["text"]) <= most
                if text["type"] == "plain_text":
                    assert not {"<", ">"} & set(text["text"])
                else:
                    assert text["verbatim"] is True
                    _assert_ours(text["text"])

    look()


def _assert_ours(said: str) -> None:
    """A label with its value in code, or links into Keyturn."""
    if said.startswith("<"):
        for link in said.split("  ·  "):
            target, _, text = link[1:-1].partition("|")
            assert target.startswith("http")
            assert not {"<", ">", "|"} & set(target)
            assert text in {"Open in Keyturn", "Consumers have the new token"}
    else:
        label, _, value = said.partition("\n")
        assert label[1:-1] in LABELS.values()
        assert value.count("`") == 2
        assert not {"<", ">"} & set(value)


def test_a_card_stays_a_card(templates):
    @anything
    def look(notice):
        body = teams_message(written_by(notice, templates))
        assert len(body) <= MOST_BYTES
        assert SECRET[:28].encode() not in body
        card = json.loads(body)["attachments"][0]["content"]
        heading, *rest = card["body"]
        for text in [*heading["items"], *rest]:
            assert text["type"] == "RichTextBlock"
            assert all(run["type"] == "TextRun" for run in text["inlines"])
            assert all(run["text"].isprintable() for run in text["inlines"])
        assert all(action["url"].startswith("http") for action in card["actions"])

    look()


def test_machines_get_json_of_the_same_shape(templates):
    @anything
    def look(notice):
        told = written_by(notice, templates)
        for document in (payload(told), [vars(event) for event in pagerduty_events(told)]):
            assert SECRET[:28] not in json.dumps(document)
        assert payload(told)["data"]["next_step"] == next_step(told)
        for event in pagerduty_events(told):
            if made := event.document.get("payload"):
                assert 1 <= len(made["summary"]) <= 1_024
                assert made["summary"].isprintable()

    look()
