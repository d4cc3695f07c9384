"""What every sink promises of one key in a document that others write too."""

import pytest

from core.errors import PlaceRefused
from core.ids import Mark
from core.layout import Layout
from core.plugins import Family, load
from sinks.base import Removal, Sink
from tests.conformance.keyed import (
    KEY,
    OTHER_KEY,
    amid,
    cut_off,
    mark,
    ours,
    read,
    remove,
    text,
    theirs,
)
from tests.conformance.sink_bench import OTHERS, OURS, PATH, copy
from tests.conformance.sinks import BENCHES, registered

KEYED = [kind for kind in registered() if kind in BENCHES and BENCHES[kind].keyed]
OTHER_SINKS = [kind for kind in registered() if kind in BENCHES and not BENCHES[kind].keyed]
CALLS = range(1, 10)


@pytest.fixture
def shared(service):
    """Each store in turn that takes a key: empty, in order, and its documents may be shared."""
    service.allow_keys()
    return service


def test_just_those_sinks_take_a_key_whose_bench_says_so():
    takes = [kind for kind in registered() if load(Family.SINK, kind).key is not Sink.key]

    assert takes == KEYED


@pytest.mark.parametrize("kind", OTHER_SINKS)
def test_a_store_of_one_value_refuses_a_key_in_words(kind):
    sink = load(Family.SINK, kind).model_construct()

    with pytest.raises(PlaceRefused, match="leave the key out") as refused:
        sink.key("API_KEY")

    assert sink.title in str(refused.value)
    assert sink.key(None) == sink.key("") == ""


def test_a_key_has_one_spelling_and_what_no_key_can_be_is_refused(shared):
    sink = shared.sink()

    assert sink.key(KEY) == KEY
    assert sink.key(None) == sink.key("") == sink.key(sink.key(None))
    for bad in ("a b", "schlüssel", "a\0b", "x" * 300):
        with shared.failing(PlaceRefused):
            sink.key(bad)


def test_a_key_of_a_document_that_is_not_there_makes_it(shared):
    held = shared.put(ours(1))

    assert held.mark == Mark(1, 1, OURS)
    assert shared.entries() == {KEY: text(ours(1))}
    assert read(shared) == held


def test_two_places_keep_their_keys_in_one_document(shared):
    shared.put(ours(1))
    shared.put(theirs(1))
    shared.put(ours(2))

    assert shared.entries() == {KEY: text(ours(2)), OTHER_KEY: text(theirs(1))}
    assert (mark(shared), mark(shared, OTHER_KEY)) == (Mark(1, 2, OURS), Mark(1, 1, OTHERS))


def test_a_key_may_be_added_to_anybody_s_document(shared):
    shared.write_entry(PATH, "password", "hunter2")

    shared.put(ours(1))
    shared.put(ours(2))

    assert shared.entries() == {"password": "hunter2", KEY: text(ours(2))}


def test_the_same_copy_again_makes_no_second_version(shared):
    shared.write_entry(PATH, "password", "hunter2")
    first = shared.put(ours(1))
    before = shared.versions()

    assert shared.put(ours(1)) == first
    assert shared.versions() == before


def test_the_same_copy_again_makes_none_after_another_key_s_write_either(shared):
    shared.put(ours(1))
    shared.put(theirs(1))
    before = shared.versions()

    held = shared.put(ours(1))

    assert held.mark == Mark(1, 1, OURS)
    assert shared.versions() == before


def test_a_key_may_hold_a_document_of_its_own(shared):
    layout = Layout(form="json", fields={"KEY": "token", "TURN": "generation"})

    shared.put(ours(1, layout=layout))
    shared.put(ours(1, layout=layout))

    assert shared.entries() == {KEY: text(ours(1, layout=layout))}
    assert len(shared.versions()) == 1


def test_somebody_else_s_key_is_refused_and_untouched(shared):
    shared.write_entry(PATH, KEY, "foreign")
    before = shared.versions()

    with shared.failing(PlaceRefused) as refused:
        shared.put(ours(1))

    assert f"[{KEY}]" in str(refused.value)
    assert "adopt: true" in str(refused.value)
    assert shared.versions() == before
    assert read(shared).mark is None


def test_somebody_else_s_key_is_replaced_where_the_place_may_adopt_it(shared):
    shared.write_entry(PATH, "password", "hunter2")
    shared.write_entry(PATH, KEY, "foreign")

    shared.put(ours(1, adopt=True))
    shared.put(ours(2))

    assert shared.entries() == {"password": "hunter2", KEY: text(ours(2))}


def test_another_account_s_key_is_refused_and_a_deleted_one_s_taken_over(shared):
    shared.put(ours(3, place=OTHERS))

    with shared.failing(PlaceRefused) as refused:
        shared.put(ours(1))
    held = shared.put(ours(1, replaces=frozenset({OTHERS})))

    assert "another account" in str(refused.value)
    assert held.mark == Mark(1, 1, OURS)
    assert shared.entries() == {KEY: text(ours(1))}


def test_an_older_revision_leaves_a_newer_one_alone(shared):
    shared.put(ours(2))
    shared.put(theirs(1))
    before = shared.versions()

    held = shared.put(ours(1))

    assert held.mark == Mark(1, 2, OURS)
    assert shared.versions() == before


def test_a_higher_epoch_wins_over_any_revision(shared):
    shared.put(ours(9, epoch=1))

    held = shared.put(ours(1, epoch=2))
    late = shared.put(ours(10, epoch=1))

    assert held.mark == late.mark == Mark(2, 1, OURS)


def test_a_removal_takes_away_the_key_alone_and_its_name_is_free_again(shared):
    shared.write_entry(PATH, "password", "hunter2")
    shared.put(ours(1))
    shared.put(theirs(1))

    remove(shared)
    left, gone = shared.entries(), read(shared)
    remove(shared)
    shared.put(copy(1, key=KEY, place=OTHERS))

    assert left == {"password": "hunter2", OTHER_KEY: text(theirs(1))}
    assert gone is None
    assert mark(shared) == Mark(1, 1, OTHERS)


def test_a_removal_leaves_another_place_s_key_and_somebody_else_s(shared):
    shared.put(theirs(1))
    shared.write_entry(PATH, KEY, "foreign")
    before = shared.versions()

    shared.sink().remove(Removal(PATH, OURS, KEY), shared.ports)
    shared.sink().remove(Removal(PATH, OURS, OTHER_KEY), shared.ports)
    shared.sink().remove(Removal("never/there", OURS, KEY), shared.ports)

    assert shared.versions() == before


def test_after_the_last_key_nothing_of_ours_is_left(shared):
    shared.put(ours(1))
    shared.put(theirs(1))

    remove(shared)
    remove(shared, OTHER_KEY)

    assert not shared.entries()
    assert (read(shared), read(shared, OTHER_KEY)) == (None, None)


def test_somebody_else_s_value_under_our_key_is_told_from_ours(shared):
    shared.put(ours(1))
    shared.put(theirs(1))
    shared.write_entry(PATH, KEY, "foreign")

    drifted, other = mark(shared), mark(shared, OTHER_KEY)
    shared.put(ours(1))

    assert drifted == Mark(0, 0, OURS)
    assert other == Mark(1, 1, OTHERS)
    assert (mark(shared), shared.entries()[KEY]) == (Mark(1, 1, OURS), text(ours(1)))


def test_another_key_s_change_is_no_drift_of_ours(shared):
    shared.put(ours(1))
    shared.write_entry(PATH, "password", "hunter2")

    assert mark(shared) == Mark(1, 1, OURS)
    assert read(shared, "password").mark is None
    assert read(shared, "never-there") is None


def test_an_answer_that_was_lost_leaves_one_version_after_the_repeat(shared):
    shared.put(theirs(1))
    shared.put(ours(1))
    shared.lose_written_answer()
    cut_off(shared, 0, lambda: shared.put(ours(2)))

    held = shared.put(ours(2))

    assert held.mark == Mark(1, 2, OURS)
    assert len(shared.versions()) == 3


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", CALLS)
def test_a_send_cut_off_at_any_call_is_finished_by_its_repeat(shared, call, how):
    shared.write_entry(PATH, "password", "hunter2")
    cut_off(shared, call, lambda: shared.put(ours(1)), **{how: True})

    held = shared.put(ours(1))

    assert held.mark == Mark(1, 1, OURS)
    assert shared.entries() == {"password": "hunter2", KEY: text(ours(1))}
    assert len(shared.versions()) == 2


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", CALLS)
def test_an_update_cut_off_at_any_call_is_finished_by_the_next_revision(shared, call, how):
    shared.put(ours(1))
    cut_off(shared, call, lambda: shared.put(ours(2)), **{how: True})

    held = shared.put(ours(3))

    assert held.mark == Mark(1, 3, OURS)
    assert shared.entries() == {KEY: text(ours(3))}


@pytest.mark.parametrize("call", CALLS)
def test_a_new_document_cut_off_at_any_call_is_finished_by_the_next_revision(shared, call):
    cut_off(shared, call, lambda: shared.put(ours(1)), lose_answer=True)

    shared.put(ours(2))

    assert shared.entries() == {KEY: text(ours(2))}
    assert mark(shared) == Mark(1, 2, OURS)


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", CALLS)
def test_a_removal_cut_off_at_any_call_is_finished_by_its_repeat(shared, call, how):
    shared.put(ours(1))
    shared.put(theirs(1))
    cut_off(shared, call, lambda: remove(shared), **{how: True})

    remove(shared)

    assert shared.entries() == {OTHER_KEY: text(theirs(1))}
    assert (read(shared), mark(shared, OTHER_KEY)) == (None, Mark(1, 1, OTHERS))


@pytest.mark.parametrize("call", CALLS)
def test_an_adoption_cut_off_at_any_call_is_finished_by_its_repeat(shared, call):
    shared.write_entry(PATH, KEY, "foreign")
    cut_off(shared, call, lambda: shared.put(ours(1, adopt=True)), lose_answer=True)

    shared.put(ours(1, adopt=True))

    assert shared.entries() == {KEY: text(ours(1))}


@pytest.mark.parametrize("call", CALLS)
def test_another_writer_s_change_amid_an_update_is_never_lost(shared, call):
    shared.write_entry(PATH, "password", "hunter1")
    shared.put(ours(1))

    def change():
        shared.write_entry(PATH, "password", "hunter2")

    amid(shared, call, lambda: shared.put(ours(2)), change)
    held = shared.put(ours(2))

    assert held.mark == Mark(1, 2, OURS)
    assert shared.entries()["password"] in {"hunter1", "hunter2"}
    assert (shared.entries()["password"] == "hunter2") == any(
        "hunter2" in it.values() for it in shared.versions()
    )
    assert shared.entries()[KEY] == text(ours(2))


@pytest.mark.parametrize("call", CALLS)
def test_another_writer_s_key_amid_a_removal_is_never_lost(shared, call):
    shared.write_entry(PATH, "password", "hunter2")
    shared.put(ours(1))

    came = amid(
        shared, call, lambda: remove(shared), lambda: shared.write_entry(PATH, "new", "value")
    )
    remove(shared)

    added = {"new": "value"} if came else {}
    assert shared.entries() == {"password": "hunter2", **added}


@pytest.mark.parametrize("call", CALLS)
def test_what_somebody_writes_under_a_new_key_amid_its_first_send_is_theirs(shared, call):
    came = amid(
        shared,
        call,
        lambda: shared.put(ours(1)),
        lambda: shared.write_entry(PATH, "password", "hunter2"),
    )
    shared.put(ours(1))

    added = {"password": "hunter2"} if came else {}
    assert shared.entries() == {**added, KEY: text(ours(1))}


def test_a_claim_that_was_never_used_does_not_take_what_somebody_wrote_since(shared):
    shared.write_entry(PATH, "password", "hunter2")
    shared.interrupt()
    cut_off(shared, 0, lambda: shared.put(ours(1)))
    shared.mend()
    shared.write_entry(PATH, KEY, "foreign")

    with shared.failing(PlaceRefused):
        shared.put(ours(1))

    assert shared.entries() == {"password": "hunter2", KEY: "foreign"}
    assert read(shared).mark is None


def test_a_refused_path_is_that_place_s_problem(shared):
    shared.deny("closed/key")

    with shared.failing(PlaceRefused):
        shared.put(ours(1, path="closed/key"))
    shared.put(ours(1))

    assert shared.entries() == {KEY: text(ours(1))}
