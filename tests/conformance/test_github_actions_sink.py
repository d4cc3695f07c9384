"""What only the sink for GitHub Actions secrets does."""

import json

import pytest

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from core.layout import Layout
from sinks.base import Removal
from sinks.github.place import github_place
from tests.conformance.sink_bench import OTHERS, OURS, PATH, copy, token
from tests.support.github_double import (
    GitHubDouble,
)

LEVEL = "repos/acme/app/actions"
SECRET = f"/api/v3/{LEVEL}/secrets/KEY"
VARIABLE = f"/api/v3/{LEVEL}/variables/KEYTURN_KEY"
ENVIRONMENT = "environments/acme/app/production/eu/KEY"
ORGANIZATION = "organizations/acme/KEY"


def note(github: GitHubDouble) -> dict[str, str]:
    found = github.thing(LEVEL, "variables", "KEYTURN_KEY")
    assert found
    return json.loads(found.value)


def methods(github: GitHubDouble) -> list[str]:
    return [f"{it.method} {it.path.rpartition('/')[2]}" for it in github.requests]


def test_a_secret_is_sealed_and_a_variable_beside_it_says_whose_it_is(github_bench, github):
    github_bench.put(copy(3))

    (sent,) = github.seen(f"PUT {SECRET}")
    secret = github.thing(LEVEL, "secrets", "KEY")
    told = note(github)
    assert sent.json().keys() == {"encrypted_value", "key_id"}
    assert token(3) not in sent.body.decode()
    assert secret.value == token(3)
    assert len(told.pop("fingerprint")) == 32
    assert told == {
        "managed-by": "keyturn",
        "place": str(OURS),
        "epoch": "1",
        "revision": "3",
        "account": "ci",
        "generation": "3",
        "secret-updated-at": secret.updated_at,
    }


def test_a_new_place_is_claimed_a_known_one_written_and_a_repeat_only_read(github_bench, github):
    sink = github_bench.sink()
    seen = []
    for revision in (1, 2, 2):
        github.clear()
        sink.put(copy(revision), github_bench.ports)
        seen.append(methods(github))

    read = ["GET KEYTURN_KEY", "GET KEY"]
    write = ["GET public-key", "PUT KEY", *read, "PATCH KEYTURN_KEY", *read]
    assert seen == [
        ["POST access_tokens", *read, "POST variables", *write],
        [*read, *write],
        read,
    ]


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("repos/Acme/App.js/key", "repos/acme/app.js/actions"),
        (ENVIRONMENT, "repos/acme/app/environments/production/eu"),
        (ORGANIZATION, "orgs/acme/actions"),
    ],
)
def test_repositories_environments_and_organisations_have_secrets(
    github_bench, github, path, level
):
    sink = github_bench.sink()
    place = sink.place(path)

    held = sink.put(copy(1, path=place), github_bench.ports)

    read = sink.read(place, github_bench.ports)
    assert (held.mark, read) == (Mark(1, 1, OURS), held)
    assert github.thing(level, "secrets", "KEY").value == token(1)
    assert github.thing(level, "variables", "KEYTURN_KEY") is not None
    sink.remove(Removal(place, OURS), github_bench.ports)
    assert github.things == {}


def test_a_place_is_quoted_where_it_is_called():
    place = github_place("environments/acme/app/Prod ü/EU?#/key")

    assert place.text == "environments/acme/app/prod ü/eu?#/KEY"
    assert place.secret == ("repos/acme/app/environments/prod%20%C3%BC%2Feu%3F%23/secrets/KEY")


@pytest.mark.parametrize(
    ("config", "exposure"),
    [
        ({}, ("private", None)),
        ({"visibility": "all"}, ("all", None)),
        ({"visibility": "selected", "selected_repository_ids": [7, 8]}, ("selected", [7, 8])),
    ],
)
def test_an_organisation_s_secret_says_which_repositories_may_use_it(
    github_bench, github, config, exposure
):
    github_bench.put(copy(1, path=ORGANIZATION), **config)
    github_bench.put(copy(2, path=ORGANIZATION), **config)

    assert {(it.visibility, str(it.repositories)) for it in github.things.values()} == {
        (exposure[0], str(exposure[1]))
    }


def test_a_repository_s_secret_says_nothing_of_visibility(github_bench, github):
    github_bench.put(copy(1), visibility="all")

    assert {it.visibility for it in github.things.values()} == {None}


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        (PATH, {"secrets", "actions_variables"}),
        (ENVIRONMENT, {"environments"}),
        (ORGANIZATION, {"organization_secrets", "organization_actions_variables"}),
    ],
)
def test_each_documented_permission_is_needed_for_its_own_kind_of_place_alone(
    github_bench, github, path, needed
):
    github.may = dict.fromkeys(needed, "write")
    github_bench.put(copy(1, path=path))

    for missing in needed:
        github.may = dict.fromkeys(needed - {missing}, "write")
        with github_bench.failing(PlaceRefused) as refused:
            github_bench.put(copy(2, path=path))
        assert "may not write" in str(refused.value)


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", [8, 9, 10, 11])
def test_a_send_cut_off_at_a_late_call_is_finished_by_its_repeat(github_bench, call, how):
    github_bench.cut_off(copy(1), call, **{how: True})

    held = github_bench.put(copy(1))

    assert (held.mark, github_bench.history()) == (Mark(1, 1, OURS), [token(1)])


def test_a_crash_between_the_value_and_its_note_reads_as_revision_0_and_is_repeated(
    github_bench, github
):
    github_bench.put(copy(1))
    github.fault(f"PATCH {VARIABLE}", drop=True)
    with github_bench.failing(Transient):
        github_bench.put(copy(2))

    unknown = github_bench.sink().read(PATH, github_bench.ports)
    github_bench.put(copy(2))

    assert unknown.mark == Mark(0, 0, OURS)
    assert len(github.seen("PUT *")) == 3
    assert github_bench.history() == [token(1), token(2)]


def test_a_value_written_over_ours_reads_as_revision_0(github_bench):
    github_bench.put(copy(1))
    github_bench.write_foreign()

    assert github_bench.sink().read(PATH, github_bench.ports).mark == Mark(0, 0, OURS)


def test_a_secret_that_is_gone_reads_as_nothing_and_is_written_again(github_bench, github):
    github_bench.put(copy(1))
    del github.things[LEVEL, "secrets", "KEY"]

    gone = github_bench.sink().read(PATH, github_bench.ports)
    held = github_bench.put(copy(1))

    assert gone is None
    assert (held.mark, github_bench.stored()) == (Mark(1, 1, OURS), token(1))


def test_a_secret_whose_variable_is_gone_is_somebody_else_s(github_bench, github):
    github_bench.put(copy(1))
    del github.things[LEVEL, "variables", "KEYTURN_KEY"]

    assert github_bench.sink().read(PATH, github_bench.ports).mark is None
    with github_bench.failing(PlaceRefused):
        github_bench.put(copy(2))


@pytest.mark.parametrize("value", ["mine", "[]", "{}", '{"place": 7}', "[" * 10_000])
def test_somebody_else_s_variable_of_that_name_is_refused_unless_the_place_adopts(
    github_bench, github, value
):
    github.write(LEVEL, "variables", "KEYTURN_KEY", value)

    with github_bench.failing(PlaceRefused):
        github_bench.put(copy(1))
    held = github_bench.put(copy(1, adopt=True))

    assert held.mark == Mark(1, 1, OURS)


def test_a_place_that_another_took_over_meanwhile_is_left_to_it(github_bench, github):
    github_bench.put(copy(1))

    with github_bench.failing(Transient):
        github_bench.put_around(
            copy(2),
            4,
            lambda: github_bench.put(copy(1, place=OTHERS, replaces=frozenset({OURS}))),
        )

    assert note(github)["place"] == str(OTHERS)
    with github_bench.failing(PlaceRefused):
        github_bench.put(copy(2))


def test_what_is_overwritten_right_after_the_note_is_not_confirmed(github_bench):
    with github_bench.failing(Transient):
        github_bench.put_around(copy(1), 10, github_bench.write_foreign)

    github_bench.put(copy(1))
    assert github_bench.stored() == token(1)


def test_a_variable_that_was_made_at_the_same_moment_is_tried_again(github_bench, github):
    github.fault("POST */variables", status=409)

    with github_bench.failing(Transient):
        github_bench.put(copy(1))


def test_a_removal_that_was_cut_off_is_finished(github_bench, github):
    github_bench.put(copy(1))
    github.fault("DELETE */variables/*", drop=True)
    with github_bench.failing(Transient):
        github_bench.sink().remove(Removal(PATH, OURS), github_bench.ports)
    half = github_bench.stored()

    github_bench.sink().remove(Removal(PATH, OURS), github_bench.ports)

    assert (half, github.things) == (None, {})


@pytest.mark.parametrize(
    ("layout", "size"), [(Layout(), 49_152), (Layout(form="dotenv"), (49_152 - 29) // 2)]
)
def test_a_value_may_have_48_kb(github_bench, layout, size):
    github_bench.put(copy(1, token="x" * size, layout=layout))

    with github_bench.failing(PlaceRefused) as refused:
        github_bench.put(copy(2, token="x" * (size + 1), layout=layout))

    assert "48 KB" in str(refused.value)
    assert len(github_bench.history()) == 1


def test_a_late_older_write_is_not_confirmed_and_leaves_a_trace_for_the_drift_check(
    github_bench, github
):
    github_bench.put(copy(1))

    with github_bench.failing(Transient):  # its value lands after a newer one was noted
        github_bench.put_around(copy(2), 4, lambda: github_bench.put(copy(3)))
    found = github_bench.sink().read(PATH, github_bench.ports)
    github_bench.put(copy(3))

    assert note(github)["revision"] == "3"
    assert found.mark == Mark(0, 0, OURS)
    assert github_bench.stored() == token(3)


def test_what_is_removed_right_after_the_write_is_not_confirmed(github_bench, github):
    def take_away() -> None:
        del github.things[LEVEL, "secrets", "KEY"]

    with github_bench.failing(Transient) as late:
        github_bench.put_around(copy(1), 7, take_away)

    assert "does not show" in str(late.value)
