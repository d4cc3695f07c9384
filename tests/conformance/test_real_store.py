"""What a store does with Keyturn's copies, asked through the public contract of its sink alone.

With `KEYTURN_REAL_SINK` and `KEYTURN_REAL_CONFIG` this is a real store's trial; without them it
runs against doubles, which proves the trial itself. What needs a store that can be told to
misbehave is left out: lost answers, hanging and throttled calls, crashes halfway, credentials
that end, values that are too large, and names that turn inward.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import PlaceRefused
from core.ids import Mark
from core.layout import Layout
from core.plugins import MASK
from tests.conformance.sink_bench import CANARY, OTHERS, OURS
from tests.conformance.trial import ANOTHER_ACCOUNT, Trial, strangers, subjects, trial_of


@pytest.fixture(scope="module", params=subjects())
def shared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Trial]:
    with trial_of(request.param, tmp_path_factory.mktemp("trial")) as made:
        yield made


@pytest.fixture
def trial(shared: Trial) -> Iterator[Trial]:
    yield shared
    shared.clear()


@pytest.fixture(params=strangers())
def stranger(request: pytest.FixtureRequest) -> str:
    return request.param


def test_the_check_says_in_a_sentence_what_it_found(trial):
    assert len(trial.sink.check(trial.ports).split()) > 2


def test_where_nothing_is_nothing_is_read(trial):
    assert trial.read(trial.path()) is None


def test_a_new_place_gets_the_copy_and_is_read_back(trial):
    path = trial.path()

    held = trial.put(path, 1)

    assert held.mark == Mark(1, 1, OURS)
    assert trial.read(path) == held


def test_a_newer_revision_replaces_an_older_one(trial):
    path = trial.path()
    first = trial.put(path, 1)

    held = trial.put(path, 2)

    assert held.mark == Mark(1, 2, OURS)
    assert held != first
    assert trial.read(path) == held


def test_the_same_copy_again_makes_no_second_version(trial):
    path = trial.path()
    first = trial.put(path, 1)

    again = trial.put(path, 1)

    assert again == first
    assert trial.read(path) == first


def test_an_older_revision_leaves_a_newer_one_alone(trial):
    path = trial.path()
    newer = trial.put(path, 2)

    held = trial.put(path, 1)

    assert held.mark == Mark(1, 2, OURS)
    assert trial.read(path) == newer


def test_a_higher_epoch_wins_over_any_revision(trial):
    path = trial.path()
    trial.put(path, 9)

    held = trial.put(path, 1, epoch=2)
    late = trial.put(path, 10)

    assert held.mark == late.mark == Mark(2, 1, OURS)


def test_the_same_token_under_a_new_revision_is_written(trial):
    path = trial.path()
    trial.put(path, 1, token=f"{CANARY}-that-stays")

    held = trial.put(path, 2, token=f"{CANARY}-that-stays")

    assert held.mark == Mark(1, 2, OURS)
    assert trial.read(path) == held


def test_a_secret_of_somebody_else_is_refused_and_untouched(trial, stranger):
    path = trial.path()
    trial.write_as(stranger, path)
    before = trial.read(path)

    with pytest.raises(PlaceRefused) as refused:
        trial.put(path, 1)
    trial.remove(path)

    assert "another account" in str(refused.value) or "did not write" in str(refused.value)
    assert CANARY not in str(refused.value)
    assert trial.read(path) == before
    assert before.mark is None or before.mark.place == OTHERS


def test_a_secret_of_somebody_else_is_adopted_where_the_place_may(trial, stranger):
    path = trial.path()
    trial.write_as(stranger, path)

    held = trial.put(path, 1, adopt=True)
    later = trial.put(path, 2)

    assert (held.mark, later.mark) == (Mark(1, 1, OURS), Mark(1, 2, OURS))


def test_a_deleted_account_s_place_is_taken_over_and_its_late_removal_harmless(trial):
    path = trial.path()
    trial.put(path, 7, place=OTHERS)

    held = trial.put(path, 1, replaces=frozenset({OTHERS}))
    trial.remove(path, OTHERS)

    assert held.mark == Mark(1, 1, OURS)
    assert trial.read(path) == held


def test_a_copy_that_is_removed_is_gone_and_its_name_is_free(trial):
    path = trial.path()
    trial.put(path, 1)

    trial.remove(path)
    gone = trial.read(path)
    trial.remove(path)
    held = trial.put(path, 2)

    assert gone is None
    assert held.mark == Mark(1, 2, OURS)


def test_what_was_written_over_our_copy_is_seen_and_put_right(trial, stranger):
    path = trial.path()
    confirmed = trial.put(path, 1)

    trial.write_as(stranger, path)
    found = trial.read(path)
    repaired = trial.put(path, 2, adopt=stranger == ANOTHER_ACCOUNT)

    assert found != confirmed
    assert repaired.mark == Mark(1, 2, OURS)
    assert trial.read(path) == repaired


def test_a_copy_that_somebody_removed_is_seen_and_written_again(trial):
    path = trial.path()
    trial.put(path, 1)
    trial.remove(path)

    found = trial.read(path)
    repaired = trial.put(path, 2)

    assert found is None
    assert trial.read(path) == repaired


def test_another_layout_is_another_copy(trial):
    path = trial.path()
    layout = Layout(form="json", fields={"KEY": "token", "OF": "account"})

    trial.put(path, 1)
    held = trial.put(path, 2, layout=layout)
    again = trial.put(path, 2, layout=layout)

    assert held.mark == Mark(1, 2, OURS)
    assert again == held


def test_as_many_sends_at_once_as_the_pace_allows_share_one_sink(trial):
    paths = [trial.path() for _ in range(trial.sink.pace.concurrency)]

    with ThreadPoolExecutor(len(paths)) as pool:
        held = list(pool.map(lambda path: trial.put(path, 1), paths))

    assert {it.mark for it in held} == {Mark(1, 1, OURS)}


def test_no_credential_is_in_what_a_sink_shows_of_itself(trial):
    config = trial.sink.model_dump(mode="json")

    shown = f"{trial.sink!r} {trial.sink} {config}"

    assert MASK in shown or "auth_data" not in config
