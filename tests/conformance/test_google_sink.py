"""What Google Secret Manager's sink writes, and how it copes with a store without conditions."""

from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor

import google_crc32c
import pytest

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from sinks.base import Removal
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token

WRITES = {"POST", "PATCH", "DELETE"}
CREATE, ADD = "POST /v1/projects/*/secrets", "POST *:addVersion"
NOTE, LATEST = "PATCH *", "GET */versions/latest:access"


def writes(bench):
    return [it for it in bench.order_of_calls() if it.split()[0] in WRITES]


def marked(bench):
    """The revision that the annotations tell, and of which version."""
    told = bench.annotations()
    return int(told["revision"]), int(told["secret-version"])


def test_a_new_secret_is_two_writes_and_its_value_is_in_the_second(google_bench, google):
    google_bench.put(copy(1), labels={"team": "platform"})

    created, added = google.seen(CREATE)[0].json(), google.seen(ADD)[0].json()
    assert google_bench.order_of_calls() == [
        "GET it",
        "POST secrets",
        "POST it:addVersion",
        "GET latest:access",
    ]
    assert created["replication"] == {"automatic": {}}
    assert created["labels"] == {"managed-by": "keyturn", "team": "platform"}
    assert created["annotations"] == {
        "managed-by": "keyturn",
        "place": str(OURS),
        "epoch": "1",
        "revision": "1",
        "account": "ci",
        "generation": "1",
        "secret-version": "1",
    }
    data = b64decode(added["payload"]["data"])
    assert data.decode() == token(1)
    assert int(added["payload"]["dataCrc32c"]) == google_crc32c.value(data)


def test_an_update_is_two_writes_and_says_first_what_it_is_about_to_add(google_bench, google):
    google_bench.put(copy(1))
    google.clear()

    google_bench.put(copy(2))

    assert google_bench.order_of_calls() == [
        "GET it",
        "GET latest:access",
        "PATCH it",
        "POST it:addVersion",
        "GET latest:access",
    ]
    assert google.seen(NOTE)[0].query["updateMask"] == "annotations"
    assert google.seen(NOTE)[0].json()["etag"] == '"1"'
    assert marked(google_bench) == (2, 2)


def test_a_repeat_writes_nothing(google_bench, google):
    google_bench.put(copy(1))
    google.clear()

    google_bench.put(copy(1))

    assert writes(google_bench) == []


def test_annotations_of_others_stay_and_facts_of_before_do_not(google_bench, google):
    google_bench.put(copy(1))
    google.secrets[google_bench.name()].given["annotations"] |= {
        "owner": "somebody",
        "next-rotation": "2026-03-02T09:00:00+00:00",
    }

    google_bench.put(copy(2))

    told = google_bench.annotations()
    assert (told["owner"], told["generation"]) == ("somebody", "2")
    assert "next-rotation" not in told


def test_what_died_before_its_version_was_added_goes_on_there(google_bench, google):
    google_bench.put(copy(1))
    google.fault(ADD, drop=True)
    with google_bench.failing(Transient):
        google_bench.put(copy(2))
    google.clear()

    between = google_bench.sink().read(PATH, google_bench.ports)
    google.clear()
    google_bench.put(copy(2))

    assert between.mark == Mark(0, 0, OURS)
    assert writes(google_bench) == ["POST it:addVersion"]
    assert marked(google_bench) == (2, 2)


def test_somebody_else_s_value_under_the_promised_number_is_not_taken_for_ours(
    google_bench, google
):
    google_bench.put(copy(1))
    google.fault(ADD, drop=True)
    with google_bench.failing(Transient):
        google_bench.put(copy(2))
    google_bench.write_foreign()

    held = google_bench.put(copy(2))

    assert (held.mark, held.version) == (Mark(1, 2, OURS), "3")
    assert google_bench.history() == [token(1), "foreign", token(2)]
    assert marked(google_bench) == (2, 3)


def test_a_version_that_comes_between_moves_ours_on(google_bench):
    google_bench.put(copy(1))

    held = google_bench.put_around(copy(2), 5, google_bench.write_foreign)

    assert (held.mark, held.version) == (Mark(1, 2, OURS), "3")
    assert google_bench.history() == [token(1), "foreign", token(2)]
    assert marked(google_bench) == (2, 3)
    assert google_bench.sink().read(PATH, google_bench.ports) == held


def test_what_died_before_it_could_tell_its_moved_version_is_found_by_its_value(
    google_bench, google
):
    google_bench.put(copy(1))
    google_bench.at_call(5, google_bench.write_foreign)
    google.fault(ADD, lose_answer=True)
    with google_bench.failing(Transient):
        google_bench.put(copy(2))

    held = google_bench.put(copy(2))

    assert (held.mark, held.version) == (Mark(1, 2, OURS), "3")
    assert google_bench.history() == [token(1), "foreign", token(2)]
    assert marked(google_bench) == (2, 3)


def test_a_late_version_of_an_older_copy_is_put_right_by_its_sender(google_bench):
    google_bench.put(copy(1))

    held = google_bench.put_around(copy(2), 5, lambda: google_bench.put(copy(3)))

    assert held.mark == Mark(1, 3, OURS)
    assert google_bench.history() == [token(1), token(3), token(2), token(3)]
    assert google_bench.sink().read(PATH, google_bench.ports) == held


def test_a_late_version_whose_sender_died_is_found_by_the_drift_check(google_bench):
    google_bench.put(copy(3))
    google_bench.double.write(google_bench.name(), token(2))

    read = google_bench.sink().read(PATH, google_bench.ports)
    held = google_bench.put(copy(2))

    assert read.mark == Mark(0, 0, OURS)
    assert held.mark == Mark(1, 3, OURS)
    assert google_bench.stored() == token(3)


def test_who_notes_too_late_adds_nothing(google_bench, google):
    google_bench.put(copy(1))

    with google_bench.failing(Transient) as late:
        google_bench.put_around(copy(2), 4, lambda: google_bench.put(copy(3)))

    assert "same moment" in str(late.value)
    assert google_bench.history() == [token(1), token(3)]


def test_what_another_account_claimed_meanwhile_is_not_written_over_it(google_bench):
    google_bench.put(copy(1))
    taken = copy(1, place=OTHERS, replaces=frozenset({OURS}))

    with google_bench.failing(Transient):
        google_bench.put_around(copy(2), 5, lambda: google_bench.put(taken))
    google_bench.put(taken)

    assert google_bench.stored() == token(1, place=OTHERS)


def test_a_version_that_is_not_shown_as_the_newest_yet_is_not_confirmed_nor_repeated(
    google_bench, google
):
    google_bench.put(copy(1))
    google.behind = 1
    for _ in range(2):
        with google_bench.failing(Transient):
            google_bench.put(copy(2))
    hidden = google_bench.history()
    google.behind = 0

    held = google_bench.put(copy(2))

    assert hidden == google_bench.history() == [token(1), token(2)]
    assert (held.mark, held.version) == (Mark(1, 2, OURS), "2")


@pytest.mark.parametrize("state", ["DISABLED", "DESTROYED"])
def test_our_version_is_written_again_if_somebody_took_it_away(google_bench, google, state):
    google_bench.put(copy(1))
    google.secrets[google_bench.name()].versions[-1].state = state

    read = google_bench.sink().read(PATH, google_bench.ports)
    held = google_bench.put(copy(1))

    assert read.mark == Mark(0, 0, OURS)
    assert (held.mark, held.version) == (Mark(1, 1, OURS), "2")


def test_reading_takes_no_value_along(google_bench, google):
    google_bench.put(copy(1))
    google.clear()

    google_bench.sink().read(PATH, google_bench.ports)

    assert google_bench.order_of_calls() == ["GET it", "GET latest"]


def test_a_secret_that_others_made_without_a_version_is_theirs(google_bench, google):
    google.write(google_bench.name(), "x")
    google.secrets[google_bench.name()].versions.clear()

    with google_bench.failing(PlaceRefused):
        google_bench.put(copy(1))
    held = google_bench.put(copy(1, adopt=True))

    assert (held.mark, held.version) == (Mark(1, 1, OURS), "1")


def test_a_value_that_is_damaged_on_the_way_back_is_read_again(google_bench, google):
    payload = {"data": "Y2FuYXJ5", "dataCrc32c": "1"}
    named = f"{google_bench.name()}/versions/1"
    google.fault(LATEST, body={"name": named, "payload": payload})

    with google_bench.failing(Transient) as damaged:
        google_bench.put(copy(1))

    assert "damaged" in str(damaged.value)
    assert google_bench.put(copy(1)).mark == Mark(1, 1, OURS)


def test_a_value_of_more_than_64_kib_is_refused_before_anything_is_called(google_bench, google):
    with google_bench.failing(PlaceRefused):
        google_bench.put(copy(1, token=CANARY.ljust(65_537, "x")))

    assert google.requests == []


def test_a_removal_takes_only_what_it_has_seen(google_bench):
    google_bench.put(copy(1))
    sink = google_bench.sink()
    taken = copy(1, place=OTHERS, replaces=frozenset({OURS}))
    hanging = google_bench.double.fault("DELETE *", hang=True)

    def remove():
        with google_bench.failing(Transient):
            sink.remove(Removal(PATH, OURS), google_bench.ports)

    with ThreadPoolExecutor(1) as pool:
        removing = pool.submit(remove)
        assert hanging.arrived.wait(10)
        google_bench.put(taken)
        google_bench.double.release()
        removing.result(10)

    assert google_bench.stored() == token(1, place=OTHERS)
