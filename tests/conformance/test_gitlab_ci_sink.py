"""What only the sink for GitLab's CI/CD variables does."""

import pytest

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from core.layout import Layout
from sinks.base import Removal
from sinks.gitlab.ci import GitLabCiSink
from sinks.gitlab.place import gitlab_place
from tests.conformance.sink_bench import OTHERS, OURS, PATH, copy, token

AT = "/api/v4/projects/acme/app/variables"
GROUP = "groups/acme/tools/KEY"
SCOPED = {"environment_scope": "review/*"}


def test_a_variable_is_the_token_and_its_description_says_whose_it_is(gitlab_bench, gitlab):
    gitlab_bench.put(copy(3))

    (sent,) = gitlab.seen(f"POST {AT}")
    document = sent.json()
    marker, version, fingerprint, facts = document.pop("description").split(" ", 3)
    assert (marker, Mark.of_version_id(version)) == ("keyturn", Mark(1, 3, OURS))
    assert len(fingerprint) == 32
    assert facts == "account=ci generation=3"
    assert document == {
        "key": "KEY",
        "value": token(3),
        "variable_type": "env_var",
        "environment_scope": "*",
        "masked": False,
        "protected": False,
        "raw": True,
    }


def test_a_write_is_read_before_and_after_and_a_repeat_only_before(gitlab_bench, gitlab):
    seen = []
    for revision in (1, 2, 2):
        gitlab.clear()
        gitlab_bench.put(copy(revision))
        seen.append([it.method for it in gitlab.requests])

    assert seen == [["GET", "POST", "GET"], ["GET", "PUT", "GET"], ["GET"]]


def test_a_description_has_the_facts_that_fit(gitlab_bench, gitlab):
    facts = {"account": "a" * 140, "generation": "7", "rotated-at": "", "next-rotation": "n" * 40}
    wanted = copy(1)
    long = type(wanted)(wanted.path, wanted.token, wanted.mark, facts)

    gitlab_bench.put(long)
    gitlab_bench.put(long)

    description = gitlab_bench.variable().told["description"]
    assert len(description) <= 255
    assert description.endswith(" generation=7")
    assert len(gitlab_bench.history()) == 1


def test_variables_are_masked_unless_somebody_says_otherwise(gitlab_bench):
    gitlab_bench.put(copy(1), masked=True)

    told = gitlab_bench.variable().told
    assert GitLabCiSink.model_fields["is_masked"].default is True
    assert (told["masked"], told["raw"], told["protected"]) == (True, True, False)


@pytest.mark.parametrize(
    "changed",
    [{"masked": True}, {"protected": True}, {"raw": False}, {"variable_type": "file"}],
)
def test_another_setting_comes_with_the_next_send(gitlab_bench, changed):
    gitlab_bench.put(copy(1))

    gitlab_bench.put(copy(1), **changed)
    gitlab_bench.put(copy(1), **changed)

    told = gitlab_bench.variable().told
    assert {name: told[name] for name in changed} == changed
    assert len(gitlab_bench.history()) == 2


@pytest.mark.parametrize(
    ("form", "value"), [("json", token(1)), ("dotenv", token(1)), ("bare", "short")]
)
def test_what_cannot_be_masked_is_refused_before_it_is_sent(gitlab_bench, gitlab, form, value):
    with gitlab_bench.failing(PlaceRefused) as refused:
        gitlab_bench.put(copy(1, token=value, layout=Layout(form=form)), masked=True)

    assert "masked: false" in str(refused.value)
    assert gitlab.requests == []


def test_what_gitlab_itself_does_not_mask_is_refused_with_what_masking_demands(gitlab_bench):
    with gitlab_bench.failing(PlaceRefused) as refused:
        gitlab_bench.put(copy(1, token="canary|$pipe"), masked=True, raw=False)

    assert "masked: false" in str(refused.value)


@pytest.mark.parametrize("masked", [True, False])
def test_a_value_that_is_too_long_is_refused_as_that(gitlab_bench, masked):
    with gitlab_bench.failing(PlaceRefused) as refused:
        gitlab_bench.put(copy(1, token="x" * 10_001), masked=masked)

    assert "10,000" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "owner"),
    [
        ("projects/Acme/Tools/App.js/Key", "projects/acme/tools/app.js"),
        ("projects/1234/Key", "projects/1234"),
        ("groups/acme/tools/Key", "groups/acme/tools"),
        ("groups/7/Key", "groups/7"),
    ],
)
def test_projects_and_groups_have_variables(gitlab_bench, gitlab, path, owner):
    sink = gitlab_bench.sink()
    place = sink.place(path)

    held = sink.put(copy(1, path=place), gitlab_bench.ports)

    assert place == f"{owner}/Key"
    assert sink.read(place, gitlab_bench.ports) == held
    assert gitlab.variable(owner, "Key").told["value"] == token(1)
    sink.remove(Removal(place, OURS), gitlab_bench.ports)
    assert gitlab.variables == {}


def test_variables_of_one_name_are_told_apart_by_their_scope(gitlab_bench, gitlab):
    gitlab.write("projects/acme/app", "KEY", "foreign", "production")

    gitlab_bench.put(copy(1), **SCOPED)
    gitlab_bench.put(copy(2), **SCOPED)
    gitlab_bench.sink(**SCOPED).remove(Removal(PATH, OURS), gitlab_bench.ports)

    assert gitlab.variable("projects/acme/app", "KEY", "production").told["value"] == "foreign"
    assert gitlab.variable("projects/acme/app", "KEY", "review/*") is None


def test_a_group_s_variable_that_would_not_be_scoped_is_taken_back(gitlab_bench, gitlab):
    gitlab.scopes_groups = False

    with gitlab_bench.failing(PlaceRefused) as refused:
        gitlab_bench.put(copy(1, path=GROUP), **SCOPED)

    assert "scopes no variables of groups" in str(refused.value)
    assert gitlab.variables == {}


def test_another_scope_s_variable_is_not_taken_for_ours_where_nothing_is_filtered(
    gitlab_bench, gitlab
):
    gitlab.scopes_groups = False
    gitlab_bench.put(copy(1, path=GROUP))

    assert gitlab_bench.sink(**SCOPED).read(GROUP, gitlab_bench.ports) is None


def test_a_value_written_over_ours_reads_as_revision_0(gitlab_bench):
    gitlab_bench.put(copy(1))
    gitlab_bench.write_foreign()

    assert gitlab_bench.sink().read(PATH, gitlab_bench.ports).mark == Mark(0, 0, OURS)


def test_a_hidden_value_is_known_by_its_description(gitlab_bench):
    gitlab_bench.put(copy(1))
    gitlab_bench.variable().told["value"] = None

    assert gitlab_bench.sink().read(PATH, gitlab_bench.ports).mark == Mark(1, 1, OURS)
    gitlab_bench.put(copy(1))
    assert len(gitlab_bench.history()) == 1


@pytest.mark.parametrize(
    "description", ["", "keyturn", "keyturn was here", "keyturn a b c", "for the pipeline"]
)
def test_another_description_is_somebody_else_s(gitlab_bench, description):
    gitlab_bench.put(copy(1))
    gitlab_bench.variable().told["description"] = description

    with gitlab_bench.failing(PlaceRefused):
        gitlab_bench.put(copy(2))


def test_a_gitlab_without_descriptions_is_refused(gitlab_bench, gitlab):
    gitlab.keeps_descriptions = False

    with gitlab_bench.failing(DestinationRefused) as refused:
        gitlab_bench.put(copy(1))

    assert "16.2" in str(refused.value)


def test_a_name_that_was_taken_in_between_is_not_written(gitlab_bench):
    with gitlab_bench.failing(Transient):
        gitlab_bench.put_around(copy(1), 2, gitlab_bench.write_foreign)

    assert gitlab_bench.stored() == "foreign"


@pytest.mark.parametrize("revision", [2, 3])
def test_what_was_written_over_in_between_is_not_confirmed(gitlab_bench, revision):
    gitlab_bench.put(copy(1))

    with gitlab_bench.failing(Transient):
        gitlab_bench.put_around(copy(revision), 3, gitlab_bench.write_foreign)


def test_what_was_taken_over_in_between_is_not_confirmed(gitlab_bench):
    gitlab_bench.put(copy(1))
    taking = copy(1, place=OTHERS, replaces=frozenset({OURS}))

    with gitlab_bench.failing(Transient):
        gitlab_bench.put_around(copy(2), 3, lambda: gitlab_bench.put(taking))


def test_what_is_gone_right_after_the_write_is_not_confirmed(gitlab_bench, gitlab):
    with gitlab_bench.failing(Transient) as late:
        gitlab_bench.put_around(copy(1), 3, gitlab.variables.clear)

    assert "does not show" in str(late.value)


def test_a_path_is_one_part_of_the_address():
    place = gitlab_place("projects/acme/tools/app/KEY")

    assert place.variable == "projects/acme%2Ftools%2Fapp/variables/KEY"


def test_what_is_gone_at_its_removal_is_removed(gitlab_bench, gitlab):
    gitlab_bench.put(copy(1))
    gitlab.fault("DELETE *", status=404)

    gitlab_bench.sink().remove(Removal(PATH, OURS), gitlab_bench.ports)
