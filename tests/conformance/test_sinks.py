"""What every sink promises, with its real client library against a real counterpart."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.errors import PlaceRefused
from core.ids import Mark
from core.layout import Layout
from core.plugins import MASK, Family, load
from sinks.base import Removal
from tests.conformance import results, test_sinks_in_trouble
from tests.conformance.sink_bench import CANARY, DOCS, OTHERS, OURS, PATH, copy, token
from tests.conformance.sinks import BENCHES, registered


def test_every_registered_sink_has_a_bench():
    assert set(registered()) == set(BENCHES)


def test_every_inapplicable_case_exists_and_says_why():
    cases = {*globals(), *vars(test_sinks_in_trouble)}
    tables = [bench.inapplicable for bench in BENCHES.values()]
    named = [(case, why) for table in tables for case, why in table.items()]

    assert [case for case, why in named if case not in cases or not why] == []


def test_every_sink_is_documented_with_each_of_its_fields():
    overview = (DOCS / "README.md").read_text()
    pages = {kind: (DOCS / BENCHES[kind].page).read_text() for kind in registered()}

    missing = [
        (kind, name)
        for kind, page in pages.items()
        for name, field in load(Family.SINK, kind).model_fields.items()
        if f"`{field.alias or name}`" not in page
    ]

    assert missing == []
    assert [kind for kind in pages if BENCHES[kind].page not in overview] == []


def test_the_table_of_results_on_the_page_is_that_of_these_cases_and_sinks():
    every = defaultdict(lambda: {"passed"})

    assert results.written() == results.table(every)


def test_a_new_place_gets_the_token_and_its_mark(store):
    held = store.put(copy(1))

    assert held.mark == Mark(1, 1, OURS)
    assert store.stored() == token(1)
    assert store.sink().read(PATH, store.ports) == held


def test_a_newer_revision_replaces_an_older_one(store):
    store.put(copy(1))

    held = store.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert store.stored() == token(2)


def test_the_same_copy_again_makes_no_second_version(store):
    first = store.put(copy(1))
    before = store.history()

    again = store.put(copy(1))

    assert again == first
    assert store.history() == before


def test_an_older_revision_leaves_a_newer_one_alone(store):
    store.put(copy(2))
    before = store.history()

    held = store.put(copy(1))

    assert held.mark == Mark(1, 2, OURS)
    assert store.history() == before


def test_a_higher_epoch_wins_over_any_revision(store):
    store.put(copy(9, epoch=1))

    held = store.put(copy(1, epoch=2))
    late = store.put(copy(10, epoch=1))

    assert held.mark == late.mark == Mark(2, 1, OURS)
    assert store.stored() == token(1, epoch=2)


def test_somebody_else_s_secret_is_refused_and_untouched(store):
    store.write_foreign()
    before = store.history()

    with store.failing(PlaceRefused) as refused:
        store.put(copy(1))

    assert "adopt: true" in str(refused.value)
    assert store.history() == before
    assert store.sink().read(PATH, store.ports).mark is None


def test_somebody_else_s_secret_is_replaced_where_the_place_may_adopt_it(store):
    store.write_foreign()

    held = store.put(copy(1, adopt=True))
    later = store.put(copy(2))

    assert (held.mark, later.mark) == (Mark(1, 1, OURS), Mark(1, 2, OURS))
    assert store.stored() == token(2)


def test_another_account_s_place_is_refused_and_untouched(store):
    store.put(copy(1, place=OTHERS))
    before = store.history()

    with store.failing(PlaceRefused) as refused:
        store.put(copy(2))

    assert "another account" in str(refused.value)
    assert store.history() == before


def test_a_deleted_account_s_place_is_taken_over(store):
    store.put(copy(7, place=OTHERS))

    held = store.put(copy(1, replaces=frozenset({OTHERS})))
    later = store.put(copy(2))

    assert (held.mark, later.mark) == (Mark(1, 1, OURS), Mark(1, 2, OURS))
    assert store.stored() == token(2)


def test_what_is_written_over_our_copy_is_put_right_by_the_next_revision(store):
    store.put(copy(1))
    store.write_foreign()

    held = store.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert store.stored() == token(2)


def test_what_is_written_over_our_copy_is_put_right_by_a_repeat(store):
    store.put(copy(1))
    store.write_foreign()

    held = store.put(copy(1))

    assert held.mark == Mark(1, 1, OURS)
    assert store.stored() == token(1)


def test_our_own_copy_is_removed_and_the_name_is_free_again(store):
    store.put(copy(1))

    store.sink().remove(Removal(PATH, OURS), store.ports)
    gone = (store.stored(), store.sink().read(PATH, store.ports))
    store.put(copy(2))

    assert gone == (None, None)
    assert store.stored() == token(2)


def test_a_removal_leaves_somebody_else_s_secret(store):
    store.write_foreign()
    before = store.history()

    store.sink().remove(Removal(PATH, OURS), store.ports)

    assert store.history() == before
    assert store.stored() == "foreign"


def test_a_late_removal_leaves_the_successor_s_copy(store):
    store.put(copy(1))
    store.put(copy(1, place=OTHERS, replaces=frozenset({OURS})))

    store.sink().remove(Removal(PATH, OURS), store.ports)

    assert store.stored() == token(1, place=OTHERS)


def test_a_removal_again_does_nothing(store):
    store.put(copy(1))
    store.sink().remove(Removal(PATH, OURS), store.ports)

    store.sink().remove(Removal(PATH, OURS), store.ports)
    store.sink().remove(Removal("never/there", OURS), store.ports)

    assert store.stored() is None


def test_where_nothing_is_nothing_is_read(store):
    assert store.sink().read("never/there", store.ports) is None


def test_several_sends_at_once_share_one_sink(store):
    sink = store.sink()
    paths = [f"app/{number}" for number in range(12)]

    with ThreadPoolExecutor(sink.pace.concurrency) as pool:
        held = list(pool.map(lambda path: sink.put(copy(1, path=path), store.ports), paths))

    assert {it.mark for it in held} == {Mark(1, 1, OURS)}
    assert {store.stored(path) for path in paths} == {token(1)}


def test_the_check_says_in_a_sentence_what_it_found_and_leaves_nothing(store):
    said = store.sink().check(store.ports)

    store.said.append(said)
    assert len(said.split()) > 2
    assert store.sink().read("keyturn-check", store.ports) is None


def test_a_place_has_one_spelling(store):
    place = store.sink().place(PATH)

    assert store.sink().place(place) == place == PATH


def test_a_path_that_the_store_cannot_have_is_refused(store):
    sink = store.sink()

    for path in store.bad_paths:
        with store.failing(PlaceRefused):
            sink.place(path)


def test_no_secret_is_in_what_a_sink_shows_of_itself(store):
    sink = store.sink()

    shown = [repr(sink), str(sink), sink.model_dump_json(), str(sink.masked(store.config()))]
    store.said.extend(shown)

    assert any(MASK in text for text in shown) == bool(store.credentials)


def test_an_unknown_field_is_refused_without_quoting_it(store):
    with pytest.raises(ValueError, match="Extra inputs are not permitted") as refused:
        store.sink(typo=CANARY)

    store.said.append(str(refused.value))


def test_a_copy_may_be_a_json_document_of_chosen_names(store):
    fields = {"OPENAI_API_KEY": "token", "TURN": "generation", "OF": "account"}
    layout = Layout(form="json", fields=fields)

    store.put(copy(1, layout=layout))
    store.put(copy(1, layout=layout))

    said = {"OPENAI_API_KEY": token(1), "TURN": "1", "OF": "ci"}
    assert store.document() == said
    assert len(store.history()) == 1


def test_a_copy_may_be_lines_as_programs_read_them_at_their_start(store):
    store.put(copy(1, layout=Layout(form="dotenv")))

    assert store.stored().splitlines() == [f"TFY_API_KEY={token(1)}", f"OPENAI_API_KEY={token(1)}"]


def test_a_value_that_somebody_else_wrote_over_ours_is_found(store):
    ours = store.put(copy(1))
    store.write_foreign()

    held = store.sink().read(PATH, store.ports)

    assert held is None or held.mark is None or held.mark < ours.mark
