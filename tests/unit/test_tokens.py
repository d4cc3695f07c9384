import string
from collections import Counter
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.tokens import Token, TokenKind, mint, recognise, without_tokens

GOOD = "tfy_vat_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg2wvuXu"
MINTED = [kind for kind in TokenKind if kind is not TokenKind.JWT]
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase


def test_a_virtual_accounts_token_begins_with_what_the_public_command_line_accepts():
    assert mint(TokenKind.VIRTUAL_ACCOUNT).reveal().startswith("tfy_vat_")


def test_a_personal_token_has_a_prefix_of_its_own():
    assert mint(TokenKind.PERSONAL).reveal().startswith("tfy_pat_")


@pytest.mark.parametrize("kind", MINTED)
def test_every_token_is_57_letters_and_digits_with_two_underscores(kind: TokenKind):
    text = mint(kind).reveal()

    assert len(text) == 57
    assert set(text[8:]) <= set(BASE62)


@pytest.mark.parametrize("kind", MINTED)
def test_a_minted_token_is_recognised(kind: TokenKind):
    token = mint(kind)

    assert recognise(token.reveal()) == token


def test_a_token_of_an_earlier_release_is_recognised():
    assert recognise(GOOD) == Token(GOOD)


def test_no_two_tokens_agree():
    assert len({mint(TokenKind.VIRTUAL_ACCOUNT).reveal() for _ in range(1000)}) == 1000


def test_every_digit_is_as_likely_as_any_other_at_every_place():
    minted = [mint(TokenKind.VIRTUAL_ACCOUNT).reveal()[8:51] for _ in range(3_000)]

    assert [set(digits) == set(BASE62) for digits in zip(*minted, strict=True)] == [True] * 43
    counts = Counter("".join(minted))
    assert max(counts.values()) < 1.15 * min(counts.values())


@given(position=st.integers(0, 56), other=st.characters())
def test_a_token_with_one_character_changed_is_refused(position: int, other: str):
    changed = GOOD[:position] + other + GOOD[position + 1 :]

    assert (recognise(changed) is None) == (changed != GOOD)


@given(position=st.integers(0, 56), digit=st.sampled_from(BASE62))
def test_a_token_with_one_letter_or_digit_changed_is_refused(position: int, digit: str):
    changed = GOOD[:position] + digit + GOOD[position + 1 :]

    assert (recognise(changed) is None) == (changed != GOOD)


@given(position=st.integers(8, 55))
def test_a_token_with_two_neighbours_swapped_is_refused(position: int):
    swapped = GOOD[:position] + GOOD[position + 1] + GOOD[position] + GOOD[position + 2 :]

    assert (recognise(swapped) is None) == (swapped != GOOD)


@given(st.text(st.characters(), max_size=80))
def test_any_text_is_looked_at_without_an_error(text: str):
    assert recognise(text) is None


@given(st.text(st.characters(), min_size=49, max_size=49))
def test_any_text_behind_the_prefix_is_looked_at_without_an_error(text: str):
    assert recognise("tfy_vat_" + text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tfy_vat_",
        GOOD[:-1],
        GOOD + "u",
        GOOD.upper(),
        f" {GOOD[:-1]}",
        f"{GOOD}\n",
        "tfy_pat_" + GOOD[8:],
        "tfy_vat_" + "٣" * 49,
        "\ud800" * 57,
        "\0" * 57,
    ],
)
def test_what_is_nearly_a_token_is_refused(text: str):
    assert recognise(text) is None


@pytest.mark.law(9)
@pytest.mark.parametrize("written", ["{0!r}", "{0!s}", "{0}", "{1}", "{2}"])
def test_a_token_becomes_text_only_when_it_is_told_to(written: str):
    token = Token(GOOD)

    text = written.format(token, [token], {"token": token})

    assert GOOD[8:53] not in text
    assert "tfy_vat_…vuXu" in text


@pytest.mark.law(9)
def test_percent_formatting_hides_the_body_too():
    text = "%s and %r" % (Token(GOOD), Token(GOOD))  # noqa: UP031 - logging writes like this

    assert text == "Token(tfy_vat_…vuXu) and Token(tfy_vat_…vuXu)"


def test_the_last_four_characters_may_be_shown():
    assert Token(GOOD).last_four == "vuXu"


def test_the_hash_is_sha256_of_the_whole_token():
    assert Token(GOOD).hash == sha256(GOOD.encode()).digest()


def test_the_hash_of_a_token_never_changes_between_releases():
    assert (
        Token(GOOD).hash.hex() == "274f2502e61ff114432ac6a05438cca349755870dc7df596e331ce2855ab7833"
    )


def test_a_token_cannot_be_changed():
    with pytest.raises(AttributeError):
        Token(GOOD)._text = "other"


@pytest.mark.law(9)
@given(before=st.text(max_size=20), after=st.text(max_size=20))
def test_a_token_inside_any_text_is_masked(before: str, after: str):
    masked = without_tokens(f"{before}{GOOD} {after}")

    assert masked == f"{before}tfy_*** {after}"


def test_text_without_a_token_stays_as_it_is():
    assert without_tokens("tfy_vat_ is the prefix") == "tfy_vat_ is the prefix"
