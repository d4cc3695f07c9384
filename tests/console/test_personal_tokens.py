import re
from datetime import timedelta

import pytest

from models import PersonalAccessToken
from services.operation.tenants import set_limits
from services.verify.verification import Verified, verify
from tests.console.visits import Visitor, Visitors
from tests.support.world import World


def shown(text: str) -> str:
    return re.search(r"tfy_pat_\w+", text)[0]


def test_a_token_is_made_and_shown_this_once(world: World, ann: Visitor):
    answer = ann.post(
        "/personal-access-tokens/new", {"name": "new-laptop", "expiration_date": "2026-05-01"}
    )

    token = shown(answer.text)
    assert answer.headers["cache-control"] == "no-store"
    assert isinstance(verify(world.runtime, token), Verified)
    listed = ann.get("/personal-access-tokens").text
    assert "new-laptop" in listed
    assert token not in listed


def test_it_ends_in_three_months_unless_the_tenant_wants_it_earlier(world: World, ann: Visitor):
    usual = ann.get("/personal-access-tokens/new").text
    set_limits(world.runtime, world.admin, {"pat_longest_life": timedelta(days=30)})
    earlier = ann.get("/personal-access-tokens/new").text

    assert 'value="2026-05-31"' in usual
    assert 'value="2026-03-31"' in earlier
    assert "Here at most until 31 Mar 2026." in earlier


@pytest.mark.parametrize(
    ("sent", "field", "said"),
    [
        ({"name": "X"}, "field-name", "a name has 3 to 36 characters"),
        ({"name": "laptop"}, "field-name", "has a personal access token named laptop already"),
        ({"name": "new-one", "expiration_date": "2020-01-01"}, "field-expiration_date", "a later"),
        ({"name": "new-one", "expiration_date": "soon"}, "field-expiration_date", "give a date"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(ann: Visitor, sent, field: str, said: str):
    answer = ann.post("/personal-access-tokens/new", sent)

    assert answer.status_code == 422
    assert re.search(rf'id="{field}"[^>]*aria-invalid="true"', answer.text)
    assert said in answer.text


def test_whoever_signed_in_with_a_token_makes_no_other(anybody, visitors: Visitors):
    ann = visitors.admin()
    anybody.post("/sign-in", data={"token": ann.token})
    visitor = Visitor(anybody, ann)

    answer = visitor.post("/personal-access-tokens/new", {"name": "another"})

    assert answer.status_code == 422
    assert "cannot make another one" in answer.text


def test_it_is_revoked_after_a_question(world: World, ann: Visitor):
    (row,) = world.rows(PersonalAccessToken)
    path = f"/personal-access-tokens/{row.id}/revoke"

    asked = ann.get(path)
    answer = ann.post(path)

    assert "Revoke laptop?" in asked.text
    assert answer.headers["location"] == "/personal-access-tokens?done=token-revoked"
    assert not isinstance(verify(world.runtime, ann.who.token), Verified)


def test_nobody_sees_or_revokes_another_persons_tokens(world: World, visitors: Visitors):
    visitors.admin()
    bob = visitors.by_http(visitors.member())
    (of_ann,) = world.rows(PersonalAccessToken, PersonalAccessToken.user_id != bob.who.id)
    path = f"/personal-access-tokens/{of_ann.id}/revoke"

    assert bob.get("/personal-access-tokens").text.count("<code") == 1
    assert bob.get(path).status_code == 404
    assert bob.post(path).status_code == 403
