from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from core.callers import LONGEST, SHOWN, Caller, Seen, Tally, tidy, top
from core.tokens import TokenKind, mint

NOW = datetime(2026, 3, 2, tzinfo=UTC)


def caller(agent: str | None, address: str = "10.0.0.1") -> Caller:
    return Caller(address, agent, "verify")


def counted(times: int, *, minute: int = 0) -> Seen:
    return Seen(times, NOW + timedelta(minutes=minute))


def test_a_user_agent_is_plain_text_of_at_most_200_characters():
    said = tidy(caller("curl\x1b[31m/8\r\nX: 1" + "a" * 300)).user_agent

    assert said is not None
    assert said.startswith("curl�[31m/8��X: 1aaa")
    assert len(said) == LONGEST


def test_a_token_that_a_client_gives_as_its_name_is_masked():
    token = mint(TokenKind.PERSONAL).reveal()

    assert tidy(caller(f"bot ({token})")).user_agent == "bot (tfy_***)"


@given(st.text(max_size=300))
def test_whatever_a_client_calls_itself_can_be_shown(text: str):
    said = tidy(caller(text)).user_agent

    assert said is None or (said.isprintable() and 0 < len(said) <= LONGEST)
    assert tidy(caller(said)).user_agent == said


def test_the_twenty_that_matter_are_kept_the_most_frequent_first():
    often = [(caller(f"often {n}"), counted(1_000 + n)) for n in range(30)]

    kept = top(often)

    assert len(kept) == SHOWN
    assert kept[0] == often[-1]
    assert [seen for _, seen in kept] == sorted([seen for _, seen in kept], reverse=True)


def test_somebody_new_is_kept_although_thirty_others_came_more_often():
    often = [(caller(f"often {n}"), counted(1_000)) for n in range(30)]
    new = (caller("new"), counted(1, minute=5))

    assert new in top([*often, new])


def test_tallies_add_up_and_names_that_look_the_same_are_one():
    first = Tally(2, NOW, {caller("a"): counted(2)})

    first.add(Tally(5, NOW + timedelta(minutes=1), {caller("a "): counted(4, minute=1)}))

    assert first.count == 7
    assert first.last_used_at == NOW + timedelta(minutes=1)
    assert first.callers == {caller("a"): counted(6, minute=1)}
