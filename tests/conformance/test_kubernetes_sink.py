"""What only the sink of Kubernetes does."""

import json
from base64 import b64decode, b64encode

import pytest

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from sinks.base import Removal, mark_metadata
from sinks.entries import fingerprint
from sinks.kubernetes.names import annotation
from tests.conformance.keyed import OTHER_KEY, theirs
from tests.conformance.kubernetes_bench import KubernetesBench
from tests.conformance.sink_bench import OTHERS, OURS, PATH, be_a_host, copy, token

AT = ("app", "key")
SECRET = "/api/v1/namespaces/app/secrets/key"
ALL = "/api/v1/namespaces/app/secrets"


@pytest.fixture
def bench(monkeypatch):
    be_a_host(monkeypatch)
    made = KubernetesBench()
    made.start()
    yield made
    made.finish()
    made.stop()


@pytest.fixture
def cluster(bench):
    return bench.double


def secret(cluster):
    return cluster.secrets[AT]


def annotations(cluster):
    return secret(cluster)["metadata"]["annotations"]


def test_a_new_secret_has_its_type_labels_value_and_mark(bench, cluster):
    bench.put(copy(3), labels={"team": "a"}, secret_type="example.com/token")

    made = secret(cluster)
    assert made["type"] == "example.com/token"
    assert made["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "keyturn",
        "team": "a",
    }
    assert {key: b64decode(it).decode() for key, it in made["data"].items()} == {"token": token(3)}
    said = json.loads(annotations(cluster)["keyturn.dev/key.token"])
    facts = {"account": "ci", "generation": "3", "fingerprint": fingerprint(copy(3).token)}
    assert said == {**mark_metadata(Mark(1, 3, OURS)), **facts}


def test_an_update_sends_our_key_alone_bound_to_the_version_that_was_read(bench, cluster):
    bench.put(copy(1))
    bench.write_entry(PATH, "password", "hunter2")
    version = secret(cluster)["metadata"]["resourceVersion"]
    cluster.clear()

    bench.put(copy(2))

    (patch,) = cluster.seen(f"PATCH {SECRET}")
    assert patch.headers["Content-Type"] == "application/merge-patch+json"
    assert patch.json()["data"].keys() == {"token"}
    assert patch.json()["metadata"]["resourceVersion"] == version
    assert [it.method for it in cluster.requests] == ["GET", "PATCH", "GET"]


def test_other_annotations_labels_and_keys_stay(bench, cluster):
    about = {"name": "key", "uid": "1", "annotations": {"owner": "a"}, "labels": {"x": "y"}}
    cluster.write(*AT, values={"password": "hunter2"}, metadata=about)

    bench.put(copy(1), labels={"team": "a"})
    bench.sink().remove(Removal(PATH, OURS), bench.ports)

    assert annotations(cluster) == {"owner": "a"}
    assert secret(cluster)["metadata"]["labels"] == {"x": "y"}
    assert bench.entries() == {"password": "hunter2"}


def test_a_secret_that_keyturn_made_goes_with_its_last_key(bench, cluster):
    bench.put(copy(1))
    bench.put(theirs(1))

    bench.sink().remove(Removal(PATH, OURS), bench.ports)
    left = bench.entries()
    bench.sink().remove(Removal(PATH, OTHERS, OTHER_KEY), bench.ports)

    assert list(left) == [OTHER_KEY]
    assert cluster.secrets == {}


def test_a_secret_that_somebody_made_stays_without_our_key(bench, cluster):
    bench.write_entry(PATH, "token", "foreign")
    bench.put(copy(1, adopt=True))

    bench.sink().remove(Removal(PATH, OURS), bench.ports)

    assert bench.entries() == {}


def test_a_deletion_is_bound_to_what_was_read(bench, cluster):
    bench.put(copy(1))
    held = secret(cluster)["metadata"]
    cluster.clear()

    bench.sink().remove(Removal(PATH, OURS), bench.ports)

    (deleted,) = cluster.seen(f"DELETE {SECRET}")
    wanted = {"uid": held["uid"], "resourceVersion": held["resourceVersion"]}
    assert deleted.json()["preconditions"] == wanted


def test_a_name_alone_lies_in_the_namespace_of_the_integration(bench, cluster):
    sink = bench.sink(namespace="team-a")

    assert sink.place("bot") == "team-a/bot"
    assert sink.place("/app/key/") == "app/key"
    sink.put(copy(1, path="bot"), bench.ports)
    assert list(cluster.secrets) == [("team-a", "bot")]


def test_a_namespace_that_is_not_there_is_the_place_s_problem(bench):
    with bench.failing(PlaceRefused) as refused:
        bench.put(copy(1, path="nowhere/key"))

    assert "no namespace nowhere" in str(refused.value)


def test_an_immutable_secret_is_refused_and_one_that_became_so(bench, cluster):
    bench.put(copy(1))
    cluster.write(*AT, immutable=True)

    with bench.failing(PlaceRefused) as refused:
        bench.put(copy(2))
    assert bench.put(copy(1)).mark == Mark(1, 1, OURS)

    assert "immutable" in str(refused.value)
    assert len(cluster.seen("PATCH *")) == 0


def test_a_secret_made_immutable_amid_a_send_is_refused_by_the_cluster(bench, cluster):
    bench.put(copy(1))
    how = {"status": 422, "body": {"kind": "Status", "message": "field is immutable when"}}
    cluster.fault("PATCH *", **how)

    with bench.failing(PlaceRefused) as refused:
        bench.put(copy(2))

    assert "immutable" in str(refused.value)


def test_all_keys_of_a_secret_together_have_a_limit(bench, cluster):
    bench.write_entry(PATH, "large", "x" * 1_048_570)

    with bench.failing(PlaceRefused) as refused:
        bench.put(copy(1))

    assert "1 MiB" in str(refused.value)
    assert len(cluster.seen("PATCH *")) == 0


def test_a_send_makes_three_calls_and_a_repeat_or_a_read_one(bench, cluster):
    bench.put(copy(1))
    first = len(cluster.requests)
    bench.put(copy(1))
    again = len(cluster.requests)
    bench.sink().read(PATH, bench.ports)

    assert (first, again, len(cluster.requests)) == (3, 4, 5)


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (403, {"message": "exceeded quota: secrets"}, "resource quota"),
        (403, {"details": {"causes": [{"reason": "NamespaceTerminating"}]}}, "being deleted"),
        (403, {}, "look at its Role"),
        (422, {"details": {"causes": [{"reason": "FieldValueTooLong"}]}}, "1 MiB"),
        (422, {"details": 5, "message": "canary"}, "invalid"),
        (413, {}, "1 MiB"),
        (400, {"message": "canary"}, "400"),
    ],
)
def test_a_refusal_is_told_in_our_words(bench, cluster, status, said, expected):
    cluster.fault("POST *", status=status, body={"kind": "Status", **said})

    with bench.failing(PlaceRefused) as refused:
        bench.put(copy(1))

    assert expected in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "body": "<html>"},
        {"status": 200, "body": {"kind": "ConfigMap", "metadata": {}}},
        {"status": 200, "body": b"[" * 100_000},
        {"status": 200, "body": b" " * 4_100_000},
        {"status": 404, "body": "404 page not found"},
        {"status": 403, "body": "<html>"},
        {"status": 302, "body": "", "headers": {"Location": "https://canary.example.com/"}},
    ],
    ids=["text", "another kind", "deep", "long", "not found", "forbidden", "redirect"],
)
def test_a_server_that_is_no_cluster_is_the_destination_s_problem(bench, cluster, answer):
    cluster.fault("GET *", **answer)

    with bench.failing(DestinationRefused) as refused:
        bench.put(copy(1))
    bench.put(copy(1))

    assert "canary" not in str(refused.value)
    assert bench.stored() == token(1)


def test_a_busy_server_is_asked_once_and_later_again(bench, cluster):
    cluster.fault("GET *", status=503, headers={"Retry-After": "30"})

    with bench.failing(Transient) as busy:
        bench.put(copy(1))

    assert busy.value.retry_after.total_seconds() == 30
    assert len(cluster.requests) == 1


def test_what_was_changed_or_made_at_the_same_moment_is_tried_again(bench, cluster):
    with bench.failing(Transient):
        bench.put_around(copy(1), 2, lambda: bench.write_entry(PATH, "password", "hunter2"))
    bench.put(copy(1))
    with bench.failing(Transient):
        bench.put_around(copy(2), 2, lambda: bench.write_entry(PATH, "password", "hunter3"))
    with bench.failing(Transient):
        bench.put_around(copy(2), 2, cluster.secrets.clear)
    bench.put(copy(2))

    assert bench.entries() == {"token": token(2)}


def test_the_check_tries_a_creation_that_leaves_nothing(bench, cluster):
    said = bench.sink(namespace="team-a").check(bench.ports)

    assert "v1.33.1" in said
    assert cluster.requests[-1].query == {"dryRun": "All"}
    assert cluster.secrets == {}


def test_the_check_says_what_is_not_allowed(bench, cluster):
    cluster.rules = [{**cluster.rules[0], "verbs": ["get"]}]

    with bench.failing(PlaceRefused) as refused:
        bench.sink().check(bench.ports)

    assert "Role" in str(refused.value)


@pytest.mark.parametrize("key", ["token", "a.b-c_D", "_hidden", "x" * 253, "ends-", ".dockercfg"])
def test_each_key_that_kubernetes_allows_has_an_annotation_that_it_allows(bench, cluster, key):
    assert bench.sink().key(key) == key

    bench.put(copy(1, key=key))

    assert bench.entries() == {key: token(1)}
    assert annotation(key) in annotations(cluster)
    assert bench.sink().read(PATH, bench.ports, key).mark == Mark(1, 1, OURS)


@pytest.mark.parametrize("key", ["", "..", "..data", "a/b", "a b", "ü", "x" * 254])
def test_what_no_key_can_be_is_refused(bench, key):
    if not key:
        assert bench.sink().key(key) == "token"
        return
    with bench.failing(PlaceRefused):
        bench.sink().key(key)


def test_bytes_that_are_no_text_are_somebody_else_s(bench, cluster):
    bench.put(copy(1))
    raw = {"token": b64encode(b"\xff\xfe").decode()}
    cluster.secrets[AT]["data"] = raw

    assert bench.sink().read(PATH, bench.ports).mark == Mark(0, 0, OURS)


@pytest.mark.parametrize(
    "changed",
    [
        {"secret_type": "kubernetes.io/service-account-token"},
        {"secret_type": "bootstrap.kubernetes.io/token"},
        {"labels": {"keyturn.dev/x": "y"}},
        {"labels": {"a b": "y"}},
        {"labels": {"a": "b c"}},
        {"namespace": "Upper"},
        {"server": None},
        {"server": "file:///etc/passwd"},
        {"ca_bundle": "/etc/ssl/certs/ca.pem"},
        {"timeout": 0},
    ],
)
def test_a_configuration_that_cannot_be_is_refused(bench, changed):
    with pytest.raises(ValueError, match=next(iter(changed))) as refused:
        bench.sink(**changed)

    assert "passwd" not in str(refused.value)


def test_a_token_s_newest_answer_of_the_cluster_is_what_put_says(bench, cluster):
    bench.put(copy(1))

    held = bench.put_around(copy(2), 3, lambda: bench.write_entry(PATH, "password", "hunter2"))

    assert held.mark == Mark(1, 2, OURS)
    assert held.version == secret(cluster)["metadata"]["resourceVersion"]
