"""The operator's own texts: what they may do, what they cost, and what stands in for them."""

from pathlib import Path
from time import monotonic

import pytest
from structlog.testing import capture_logs

from core.errors import Misconfigured
from core.events import EventType
from notifiers.base import Notice
from notifiers.grammar import FILTERS, TESTS
from notifiers.rendering import letter
from notifiers.samples import SAMPLED, check_texts, sample
from notifiers.sandbox import MOST_SOURCE
from notifiers.texts import BLOCKS, OF_LETTERS, OURS, names
from notifiers.words import headline, next_step, title
from services.notices.notice_texts import check_notice_texts

ROTATED = "events/token.rotated.j2"
HTML = "notice.html.j2"
TEXT = "notice.txt.j2"


def write(folder: Path, name: str, source: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)
    return path


def told(folder: Path, event: EventType = EventType.TOKEN_ROTATED, **changes: object) -> Notice:
    return Notice(**{**vars(sample(event)), "templates": folder, **changes})


def refusal(folder: Path) -> str:
    with pytest.raises(Misconfigured) as refused:
        check_texts(folder)
    return str(refused.value)


def test_a_block_of_ones_own_stands_in_for_ours_and_the_others_stay(tmp_path):
    write(tmp_path, ROTATED, "{% block next_step %}Ask {{ by|upper }} at x1234.{% endblock %}")

    assert check_texts(tmp_path) == 1
    notice = told(tmp_path)
    assert next_step(notice) == "Ask SCHEDULE at x1234."
    assert (title(notice), headline(notice)) == (
        title(sample(notice.type)),
        headline(sample(notice.type)),
    )
    assert "Ask SCHEDULE at x1234." in letter(notice).html


def test_a_text_for_every_event_is_used_where_an_event_has_none_of_its_own(tmp_path):
    write(tmp_path, "events/other.j2", "{% block why %}you are on call{% endblock %}")

    assert "because you are on call." in letter(told(tmp_path)).text


def test_a_letter_of_ones_own_escapes_every_value(tmp_path):
    write(
        tmp_path, HTML, "<p>{{ headline }}</p>{% for l, v in figures %}<b>{{ v }}</b>{% endfor %}"
    )
    notice = told(tmp_path, facts={"account": "<script>", "by": '"><img src=x>'})

    html = letter(notice).html

    assert html == (
        "<p>&lt;script&gt;: new token, generation -</p><b>&#34;&gt;&lt;img src=x&gt;</b>"
    )


def test_what_an_event_does_not_know_reads_as_a_dash_and_counts_as_nothing(tmp_path):
    write(
        tmp_path,
        ROTATED,
        "{% block headline %}{{ reason }}{% if reason %}!{% else %}?{% endif %}{% endblock %}",
    )

    assert headline(told(tmp_path)) == "-?"


@pytest.mark.parametrize(
    ("name", "source", "where", "why"),
    [
        (ROTATED, "{% block title %}\n{{ account", ":2:", "end of"),
        (ROTATED, "\n{{ acount }}", ":2:", "there is no acount; there are account, "),
        (ROTATED, "{% block titel %}{% endblock %}", ": ", "there is no block titel"),
        ("events/token.turned.j2", "x", ": ", "there is no text of this name; there are "),
        (TEXT, "{{ account.__class__ }}", ":1:", "__class__ is private"),
        (TEXT, "{{ account['__class__'] }}", ":1:", "there is no '__class__' in it"),
        (TEXT, "{{ ''.join(figures) }}", ":1:", "call is not allowed here"),
        (TEXT, "{{ figures|map('upper') }}", ":1:", "the filter map is not allowed"),
        (TEXT, "{{ figures|attr('append') }}", ":1:", "the filter attr is not allowed"),
        (HTML, "{{ headline|safe }}", ":1:", "the filter safe is not allowed"),
        (
            HTML,
            "{% autoescape false %}{{ headline }}{% endautoescape %}",
            ":1:",
            "scope is not allowed here",
        ),
        (TEXT, "{% include 'notice.html.j2' %}", ":1:", "include is not allowed here"),
        (TEXT, "{% extends 'notice.html.j2' %}", ":1:", "extends is not allowed here"),
        (TEXT, "{% macro m() %}{{ m() }}{% endmacro %}", ":1:", "macro is not allowed here"),
        (TEXT, "{{ 9 ** 9 }}", ":1:", "pow is not allowed here"),
        (TEXT, "{{ tenant * 99 }}", ":1:", "mul is not allowed here"),
        (TEXT, "{% set x = tenant ~ tenant %}", ":1:", "concat is not allowed here"),
        (TEXT, "{% set x %}{{ tenant }}{% endset %}", ":1:", "assignblock is not allowed here"),
        (TEXT, "{% set x = [tenant, tenant] %}", ":1:", "fixed values only"),
        (TEXT, "{% set x = {'a': tenant} %}", ":1:", "fixed values only"),
        (TEXT, "{% set tenant = 'x' %}", ":1:", "tenant is not free as a name"),
        (TEXT, "{% set _budget = 'x' %}", ":1:", "_budget is not free as a name"),
        (TEXT, "{% for x in figures recursive %}{{ loop(x) }}{% endfor %}", ":1:", "not allowed"),
        (TEXT, "{{ figures }}", ":1:", "only text and numbers can be written"),
        (TEXT, "{{ loop.index }}", ":1:", "there is no 'index' in it"),
        (TEXT, "x" * (MOST_SOURCE + 1), ": ", "longer than 65536 bytes"),
        (TEXT, "{{ " + "(" * 400 + "1" + ")" * 400 + " }}", ": ", "nested too deeply"),
    ],
)
def test_what_a_text_may_not_do_is_refused_by_file_line_and_reason(
    tmp_path, name, source, where, why
):
    path = write(tmp_path, name, source)

    said = refusal(tmp_path)

    assert said.startswith(f"{path}{where}")
    assert why in said
    assert len(said) < 1_200


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (
            "{% for a in headline %}" * 3 + "{% endfor %}" * 3,
            "it takes more than 100000 steps",
        ),
        (
            "{% for a in headline %}" + "x" * 9_000 + "{% endfor %}",
            "it writes more than 262144 characters",
        ),
        (
            "{% set x = headline|urlencode %}" + "{% set x = x|urlencode %}" * 400,
            "urlencode takes at most 2000 characters",
        ),
    ],
)
def test_a_text_that_costs_too_much_is_refused_soon(tmp_path, source, why):
    write(tmp_path, TEXT, source)
    began = monotonic()

    assert refusal(tmp_path).endswith(why)
    assert monotonic() - began < 5


def test_a_text_that_is_no_utf_8_is_refused(tmp_path):
    (tmp_path / TEXT).write_bytes(b"caf\xe9")

    assert refusal(tmp_path).endswith("notice.txt.j2: it is no text in UTF-8")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    assert refusal(tmp_path / "nowhere").endswith("there is no such folder")


def test_other_files_in_the_folder_are_no_texts(tmp_path):
    write(tmp_path, "README.md", "ours")

    assert check_notice_texts(tmp_path).startswith("0 of your own")


def test_without_a_folder_the_texts_are_ours():
    assert check_notice_texts(None) == "are Keyturn's own"


def test_every_text_of_ours_is_allowed_as_one_of_the_operators(tmp_path):
    for name in names():
        write(tmp_path, name, (OURS / name).read_text())

    assert check_texts(tmp_path) == len(names())
    for event in SAMPLED:
        assert letter(told(tmp_path, event)) == letter(sample(event))


def test_a_text_that_fails_on_a_real_notice_is_replaced_by_ours_and_logged(tmp_path):
    costly = "{% for c in reason %}{% for d in reason %}{% endfor %}{% endfor %}x"
    source = f"{{% block headline %}}{costly}{{% endblock %}}"
    path = write(tmp_path, "events/rotation.waiting.j2", source)
    check_texts(tmp_path)
    notice = told(tmp_path, EventType.ROTATION_WAITING, facts={"reason": "é" * 300})

    with capture_logs() as logged:
        said = headline(notice)

    assert said.startswith("-: its rotation waits: éé")
    assert [(line["event"], str(path) in line["error"]) for line in logged] == [
        ("notice.text_failed", True)
    ]


def test_every_variable_and_filter_is_documented():
    page = (Path(__file__).parents[2] / "docs/notifiers/templates.md").read_text()

    wanted = {*OF_LETTERS, *BLOCKS, *FILTERS, *TESTS}
    assert sorted(name for name in wanted if f"`{name}`" not in page) == []
    assert [event for event in SAMPLED if f"`events/{event.value}.j2`" not in page] == []
