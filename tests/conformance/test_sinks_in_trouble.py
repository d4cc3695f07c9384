"""What every sink does when its store refuses, hangs, loses answers, or Keyturn dies halfway."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network

import pytest

from core.dial import AddressRules
from core.errors import DestinationRefused, KeyturnError, PlaceRefused, SendFailed, Transient
from core.ids import Mark
from services.outbound import GuardedDialer
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock


def test_one_refused_path_is_that_place_s_problem(store):
    store.deny("closed/key")

    with store.failing(PlaceRefused):
        store.put(copy(1, path="closed/key"))
    store.put(copy(1))

    assert store.stored() == token(1)


def test_wrong_credentials_are_the_destination_s_problem(service):
    config = service.refuse_credentials()

    with service.failing(DestinationRefused):
        service.put(copy(1), **config)
    with service.failing(DestinationRefused):
        service.sink(**config).read(PATH, service.ports)

    assert service.stored() is None


def test_credentials_that_end_in_the_middle_of_a_send_are_replaced(service):
    sink = service.sink(**service.ending_credentials())

    held = sink.put(copy(1), service.ports)

    assert held.mark == Mark(1, 1, OURS)
    assert service.stored() == token(1)
    assert service.logins() == 2


def test_a_throttled_send_is_tried_again_when_the_store_says(service):
    service.throttle()

    with service.failing(Transient) as throttled:
        service.put(copy(1))
    service.put(copy(1))

    asked = service.retry_after and timedelta(seconds=service.retry_after)
    assert (throttled.value.throttled, throttled.value.retry_after) == (True, asked)
    assert service.history() == service.history()[:1] != []


def test_a_store_out_of_order_is_tried_again(service):
    service.fail()

    with service.failing(Transient) as failed:
        service.put(copy(1))
    service.put(copy(1))

    assert not failed.value.throttled
    assert service.stored() == token(1)


def test_a_store_that_hangs_is_tried_again(service):
    service.spoil(hang=True)

    with service.failing(Transient):
        service.put(copy(1), timeout=0.2)
    service.double.release()
    service.put(copy(1))

    assert service.stored() == token(1)


def test_a_connection_that_is_reset_is_tried_again(service):
    service.spoil(drop=True)

    with service.failing(Transient):
        service.put(copy(1))
    service.put(copy(1))

    assert service.stored() == token(1)


def test_an_answer_that_was_lost_leaves_one_version_after_the_repeat(service):
    service.put(copy(1))
    service.lose_written_answer()

    with service.failing(Transient):
        service.put(copy(2))
    held = service.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert len(service.history()) == 2
    assert service.stored() == token(2)


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6, 7])
def test_a_send_cut_off_at_any_call_is_finished_by_its_repeat(service, call, how):
    service.cut_off(copy(1), call, **{how: True})

    held = service.put(copy(1))

    assert held.mark == Mark(1, 1, OURS)
    assert len(service.history()) == 1
    assert service.stored() == token(1)


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", [1, 2, 3, 4, 5, 6])
def test_an_update_cut_off_at_any_call_is_finished_by_its_repeat(service, call, how):
    service.put(copy(1))
    service.cut_off(copy(2), call, **{how: True})

    held = service.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert len(service.history()) == 2
    assert service.stored() == token(2)


def test_a_store_that_trickles_does_not_stretch_a_send_beyond_its_limit(service):
    clock = ManualClock()
    sink = service.sink(timeout=5)
    service.at_each_call(lambda: clock.pass_(seconds=21))

    with service.failing(Transient) as late:
        sink.put(copy(1), replace(service.ports, clock=clock))

    assert "too slowly" in str(late.value)
    assert clock.elapsed() <= sink.pace.send_limit + 21


def test_a_value_that_is_too_large_is_that_place_s_problem(service):
    large = CANARY.ljust(service.refuse_size(), "x")

    with service.failing(PlaceRefused):
        service.put(copy(1, token=large))

    assert service.stored() is None


def test_a_crash_before_the_value_was_written_never_leaves_our_secret_foreign(store):
    store.interrupt()
    with store.failing(SendFailed):
        store.put(copy(1))
    store.mend()

    held = store.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert store.stored() == token(2)


def test_an_adoption_that_crashed_is_finished_although_adopt_was_taken_back(store):
    store.write_foreign()
    store.interrupt()
    with store.failing(SendFailed):
        store.put(copy(1, adopt=True))
    store.mend()

    held = store.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert store.stored() == token(2)


def test_a_take_over_that_crashed_is_finished(store):
    store.put(copy(7, place=OTHERS))
    store.interrupt()
    with store.failing(SendFailed):
        store.put(copy(1, replaces=frozenset({OTHERS})))
    store.mend()

    held = store.put(copy(1, replaces=frozenset({OTHERS})))

    assert held.mark == Mark(1, 1, OURS)
    assert store.stored() == token(1)


def test_the_check_of_a_sink_that_cannot_work_says_so(store):
    sink, ports = store.broken()

    with store.failing(KeyturnError) as found:
        sink.check(ports)

    assert len(str(found.value).split()) > 2


def test_a_name_that_turns_inward_is_refused_when_it_is_called(service):
    outward, inward = "127.0.0.2", "127.0.0.1"  # nothing answers at the first
    resolved = iter([outward, inward])
    rules = AddressRules(allowed=[ip_network(outward)])
    dialer = GuardedDialer(rules, resolve=lambda *_, **__: [(None, (next(resolved), 0))])
    ports = lent(network=dialer)
    service.double.clear()
    sink = service.sink(**service.elsewhere("store.example.com"), timeout=0.5)

    with service.failing(Transient):
        sink.put(copy(1), ports)
    with service.failing(DestinationRefused) as refused:
        sink.put(copy(1), ports)

    assert "own host" in str(refused.value)
    assert service.double.requests == []
