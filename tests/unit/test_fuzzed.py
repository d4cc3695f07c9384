"""Any bytes where tokens, JWTs and the like are read: no error, and nothing is accepted."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core import jwts
from core.tokens import LONGEST_JWT, recognise
from tests.fuzz.targets import GOOD, KEY, SEEDS, SIGNED, TARGETS
from tests.support.issuer import encoded

QUICK = settings(max_examples=100, deadline=None)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("name", TARGETS)
@QUICK
@given(data=st.data())
def test_any_bytes_are_read_without_an_error(name: str, data: st.DataObject):
    seeds = st.sampled_from(SEEDS[name])
    TARGETS[name](data.draw(st.binary(max_size=300) | seeds))


@pytest.mark.parametrize("name", SEEDS)
def test_every_target_takes_its_seeds(name: str):
    for seed in SEEDS[name]:
        TARGETS[name](seed)


@QUICK
@given(place=st.integers(0, len(GOOD) - 1), letter=st.characters())
def test_a_token_with_another_letter_is_none(place: int, letter: str):
    changed = GOOD[:place] + letter + GOOD[place + 1 :]

    assert (recognise(changed) is None) is (changed != GOOD)


@QUICK
@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x"]), JSON))
def test_no_header_of_a_jwt_makes_a_forged_signature_good(header: dict[str, Any]):
    text = f"{encoded(header)}.{SIGNED.split('.')[1]}.{SIGNED.split('.')[2]}"

    said = jwts.read(text)

    assert said is None or not jwts.is_signed_with(text, KEY, said.algorithm)


@QUICK
@given(claims=JSON)
def test_any_claims_are_read_or_not_taken(claims: Any):
    head, _, signature = SIGNED.split(".")
    text = f"{head}.{encoded(json.dumps(claims).encode())}.{signature}"

    said = jwts.read(text)

    assert said is None or isinstance(said.claims, dict)
    assert recognise(text) is None or len(text) <= LONGEST_JWT
