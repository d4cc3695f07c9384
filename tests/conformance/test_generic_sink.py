"""What only the sink for any store over HTTP does."""

import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError
from truefoundry_sdk.types import CustomHeaderAuth, GenericSecretStoreIntegration

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from sinks.base import Removal
from sinks.generic.auth import HeaderAuth
from sinks.generic.sink import GenericSink
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.support.generic_double import API_KEY, GenericDouble
from tests.support.http_double import Answer, HttpDouble, Request

AT = f"/v1/keyturn/{PATH}"


def headers(**given: str) -> dict[str, object]:
    named = {name.replace("_", "-"): value for name, value in given.items()}
    return {"auth_data": {"type": "header", "headers": named}}


def keys(generic: GenericDouble) -> list[str]:
    return [it.headers["Idempotency-Key"] for it in generic.seen("PUT *")]


def test_the_fields_are_those_of_the_public_sdk_and_a_few_of_our_own():
    theirs = set(GenericSecretStoreIntegration.model_fields)
    ours = {"root_path", "ca_bundle", "timeout", "on_drift"}

    assert set(GenericSink.model_fields) == theirs - {"type", "name", "authorized_subjects"} | ours
    assert set(HeaderAuth.model_fields) == set(CustomHeaderAuth.model_fields)


def test_a_secret_is_the_token_beside_its_mark_and_its_fingerprint(generic_bench, generic):
    generic_bench.put(copy(3))

    (sent,) = generic.seen(f"PUT {AT}")
    document = sent.json()
    assert document["value"] == token(3)
    assert len(document["metadata"].pop("fingerprint")) == 32
    assert document["metadata"] == {
        "managed-by": "keyturn",
        "place": str(OURS),
        "epoch": "1",
        "revision": "3",
        "account": "ci",
        "generation": "3",
    }
    assert sent.headers["If-None-Match"] == "*"
    assert sent.headers["Content-Type"] == "application/json"


def test_a_write_is_read_before_and_after_and_a_repeat_only_before(generic_bench, generic):
    generic_bench.put(copy(1))
    generic_bench.put(copy(1))

    assert [it.method for it in generic.requests] == ["GET", "PUT", "GET", "GET"]


def test_every_call_carries_the_headers_and_nothing_of_the_host(
    generic_bench, generic, tmp_path, monkeypatch
):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login host password canary-netrc\n")
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))

    generic_bench.put(copy(1), **headers(X_Api_Key=API_KEY, User_Agent="mine"))
    generic_bench.sink().remove(Removal(PATH, OURS), generic_bench.ports)

    assert {it.headers["X-Api-Key"] for it in generic.requests} == {API_KEY}
    assert {it.headers["User-Agent"] for it in generic.requests} == {"mine", "keyturn"}
    assert {it.headers["Authorization"] for it in generic.requests} == {None}


def test_cookies_of_the_store_are_not_kept(generic_bench, generic):
    sink = generic_bench.sink()
    generic.fault("GET *", status=404, headers={"Set-Cookie": "session=1; Path=/"})

    sink.put(copy(1), generic_bench.ports)

    assert {it.headers["Cookie"] for it in generic.requests} == {None}


def test_the_idempotency_key_is_of_the_mark_and_of_what_is_written_over(generic_bench, generic):
    generic.fault("PUT *", drop=True)
    with generic_bench.failing(Transient):
        generic_bench.put(copy(1))
    generic_bench.put(copy(1))
    generic_bench.write_foreign()
    generic_bench.put(copy(1))

    first, again, over = keys(generic)
    assert first == again == Mark(1, 1, OURS).version_id()
    assert over.startswith(f"{first}-")


@pytest.mark.parametrize("call", [2, 3])
def test_a_write_that_another_came_between_is_not_confirmed(generic_bench, call):
    generic_bench.put(copy(1))

    with generic_bench.failing(Transient):
        generic_bench.put_around(copy(2), call, generic_bench.write_foreign)
    generic_bench.put(copy(2))

    assert generic_bench.stored() == token(2)


def test_a_late_older_write_does_not_land_where_there_is_an_etag(generic_bench, generic):
    generic_bench.put(copy(1))

    with generic_bench.failing(Transient) as stale:
        generic_bench.put_around(copy(2), 2, lambda: generic_bench.put(copy(3)))

    assert "changed at the same moment" in str(stale.value)
    assert generic_bench.history() == [token(1), token(3)]


def test_a_path_that_was_taken_in_between_is_not_written(generic_bench):
    with generic_bench.failing(Transient):
        generic_bench.put_around(copy(1), 2, generic_bench.write_foreign)

    assert generic_bench.stored() == "foreign"


def test_a_removal_that_another_came_between_leaves_what_is_there(generic_bench, generic):
    generic_bench.put(copy(1))
    generic.fault("DELETE *", status=412)

    with generic_bench.failing(Transient):
        generic_bench.sink().remove(Removal(PATH, OURS), generic_bench.ports)

    assert generic_bench.stored() == token(1)


@pytest.mark.parametrize("tells_values", [True, False])
def test_without_etags_the_newest_revision_still_stays(generic_bench, generic, tells_values):
    generic.has_etags, generic.tells_values = False, tells_values

    generic_bench.put(copy(1))
    generic_bench.put(copy(2))
    held = generic_bench.put(copy(1))
    with generic_bench.failing(PlaceRefused):
        generic_bench.put(copy(3, place=OTHERS))

    assert held.mark == Mark(1, 2, OURS)
    assert generic_bench.history() == [token(1), token(2)]


def test_a_weak_etag_does_not_bind_a_write(generic_bench, generic):
    known = Answer.of({"value": "foreign"})
    weak = Answer(200, known.body, {**known.headers, "ETag": 'W/"1"'})
    generic.fault("GET *", body={"value": "foreign"}).answer = lambda _: weak

    generic_bench.put(copy(1, adopt=True))

    assert generic.seen("PUT *")[0].headers["If-Match"] is None


def test_a_value_written_over_ours_reads_as_revision_0(generic_bench):
    generic_bench.put(copy(1))
    generic_bench.write_foreign()

    assert generic_bench.sink().read(PATH, generic_bench.ports).mark == Mark(0, 0, OURS)


def test_a_store_that_keeps_no_metadata_is_refused(generic_bench, generic):
    generic.has_metadata = False

    with generic_bench.failing(DestinationRefused) as refused:
        generic_bench.put(copy(1))

    assert "metadata" in str(refused.value)


def test_a_store_that_cannot_be_read_is_written_only_where_the_place_adopts(generic_bench, generic):
    generic.has_reading = False

    with generic_bench.failing(PlaceRefused) as refused:
        generic_bench.put(copy(1))
    held = generic_bench.put(copy(1, adopt=True))
    generic_bench.put(copy(1, adopt=True))

    assert "adopt: true" in str(refused.value)
    assert held.mark == Mark(1, 1, OURS)
    assert generic_bench.history() == [token(1)]  # the store knows the key again


def test_a_store_that_cannot_be_read_is_cleared_by_hand(generic_bench, generic):
    generic.has_reading = False
    generic_bench.put(copy(1, adopt=True))
    sink = generic_bench.sink()

    with generic_bench.failing(PlaceRefused):
        sink.remove(Removal(PATH, OURS), generic_bench.ports)
    with generic_bench.failing(PlaceRefused):
        sink.read(PATH, generic_bench.ports)

    assert generic_bench.stored() == token(1)
    assert "must adopt" in sink.check(generic_bench.ports)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, PlaceRefused),
        (404, PlaceRefused),
        (409, PlaceRefused),
        (413, PlaceRefused),
        (422, PlaceRefused),
        (301, DestinationRefused),
        (307, DestinationRefused),
        (401, DestinationRefused),
        (403, DestinationRefused),
        (405, DestinationRefused),
        (407, DestinationRefused),
        (501, DestinationRefused),
        (408, Transient),
        (412, Transient),
        (425, Transient),
        (429, Transient),
        (502, Transient),
        (503, Transient),
    ],
)
def test_a_status_is_understood_and_what_came_with_it_never_quoted(
    generic_bench, generic, status, kind
):
    generic.fault("PUT *", status=status, body=CANARY, headers={"Location": generic.url})

    with generic_bench.failing(kind):
        generic_bench.put(copy(1))

    assert CANARY not in "".join(generic_bench.said)
    assert generic.seen("PUT *") == generic.requests[-1:]


@pytest.mark.parametrize(
    "answer",
    [
        Answer.of(f"<b>{CANARY}</b>", 200, "text/html"),
        Answer.of([CANARY]),
        Answer.of({"data": CANARY}),
        Answer.of("[" * 100_000),
        Answer.of({"value": "x" * 1_000_001}),
        Answer(204),
        Answer(304),
    ],
)
def test_an_address_that_is_no_store_is_understood_and_never_quoted(generic_bench, answer):
    class Anything(HttpDouble):
        def answer(self, _: Request) -> Answer:
            return answer

    with Anything() as other, generic_bench.failing(DestinationRefused) as refused:
        generic_bench.put(copy(1), base_url=other.url)

    assert "as a secret store would" in str(refused.value)
    assert CANARY not in "".join(generic_bench.said)


def test_a_store_that_does_not_delete_is_cleared_by_hand(generic_bench, generic):
    generic_bench.put(copy(1))
    generic.fault("DELETE *", status=405)

    with generic_bench.failing(PlaceRefused):
        generic_bench.sink().remove(Removal(PATH, OURS), generic_bench.ports)


def test_what_is_gone_at_its_removal_is_removed(generic_bench, generic):
    generic_bench.put(copy(1))
    generic.fault("DELETE *", status=404)

    generic_bench.sink().remove(Removal(PATH, OURS), generic_bench.ports)


def test_a_place_of_any_letters_is_one_path(generic_bench, generic):
    place = generic_bench.sink().place("/prüf//a b?#%2F/")

    generic_bench.put(copy(1, path=place))

    assert place == "prüf/a b?#%2F"
    assert generic_bench.stored(place) == token(1)


def test_an_address_that_nobody_serves_is_tried_again(generic_bench):
    with GenericDouble() as other:
        gone = other.base_url

    with generic_bench.failing(Transient):
        generic_bench.put(copy(1), base_url=gone)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1:2", "http://[::1", "http://.x..y"])
def test_an_address_that_is_none_is_the_destination_s_problem(generic_bench, address):
    with generic_bench.failing(DestinationRefused):
        generic_bench.put(copy(1), base_url=address)


def test_a_private_authority_is_trusted_if_it_is_given_and_its_file_goes_with_the_sink(
    generic_bench, tmp_path, monkeypatch
):
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "the-host-s.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "the-host-s.pem"))
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = authority.cert_pem.bytes().decode()
    with GenericDouble(tls=context) as other:
        trusting = generic_bench.sink(base_url=other.base_url, ca_bundle=bundle)

        trusting.put(copy(1), generic_bench.ports)
        with generic_bench.failing(DestinationRefused) as untrusted:
            generic_bench.put(copy(1), base_url=other.base_url)
    file = Path(trusting._wire._trust.path)
    mode = file.stat().st_mode & 0o777
    trusting.close()

    assert "ca_bundle" in str(untrusted.value)
    assert (mode, file.exists()) == (0o600, False)


def test_the_check_reads_only(generic_bench, generic):
    said = generic_bench.sink().check(generic_bench.ports)

    assert said == "The store takes these headers and can be read; writing was not tried."
    assert [it.method for it in generic.requests] == ["GET"]


def test_the_quota_belongs_to_the_host(generic_bench):
    sink = generic_bench.sink(base_url="https://Store.example.com:8443/v1", timeout=5)

    assert sink.quota_key("") == "store.example.com:8443"
    assert (sink.pace.per_second, sink.pace.send_limit) == (None, 15)


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "canary"},
        {"base_url": "https://canary@store.example.com"},
        {"base_url": "https://store.example.com/?canary"},
        {"root_path": "canary/.."},
        {"ca_bundle": "canary"},
        {"timeout": 0},
        {"auth_data": {"type": "header", "headers": {}}},
        {"auth_data": {"type": "canary", "headers": {"X": "canary"}}},
        {"auth_data": {"type": "header", "headers": "canary"}},
        headers(canary="canary", CANARY="canary"),
        {"auth_data": {"type": "header", "headers": {"canary :": "x"}}},
        {"auth_data": {"type": "header", "headers": {"X-Key": 7}}},
        headers(X_Key=""),
        headers(X_Key=" canary"),
        headers(X_Key="canary\r\nX: y"),
        headers(X_Key="canärý"),
        headers(Host="canary"),
        headers(content_length="7"),
        headers(Idempotency_Key="canary"),
        headers(**{f"X{number}": "canary" for number in range(21)}),
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(generic_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        generic_bench.sink(**wrong)

    assert "canary" not in str(refused.value).lower()
