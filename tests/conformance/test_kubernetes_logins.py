"""In whose name Keyturn calls a cluster: tokens, kubeconfigs, and the pod it runs in."""

import ssl
from base64 import b64encode

import pytest
import trustme
import yaml

from core.errors import DestinationRefused, Misconfigured, Transient
from core.ids import Mark
from sinks.kubernetes.secrets import KubernetesSecretsSink
from tests.conformance.kubernetes_bench import RENEWED, TOKEN, KubernetesBench
from tests.conformance.sink_bench import OURS, PATH, be_a_host, copy, token
from tests.support.kubernetes_double import KubernetesDouble
from tests.support.lending import lent


@pytest.fixture
def bench(monkeypatch):
    be_a_host(monkeypatch)
    made = KubernetesBench()
    made.start()
    yield made
    made.finish()
    made.stop()


def encoded(text):
    return b64encode(text.encode()).decode()


def kubeconfig(bench, *, cluster=None, user=None, **top):
    """A document as kubectl prints it, for this cluster."""
    at = {"server": bench.double.url, "certificate-authority-data": encoded(bench.double.ca_pem)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "main",
        "clusters": [{"name": "one", "cluster": {**at, **(cluster or {})}}],
        "contexts": [{"name": "main", "context": {"cluster": "one", "user": "keyturn"}}],
        "users": [{"name": "keyturn", "user": {"token": TOKEN} if user is None else user}],
        **top,
    }


def by(document, **more):
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    auth = {"type": "kubeconfig", "kubeconfig": text}
    return {"server": None, "ca_bundle": None, "auth_data": auth, **more}


def test_a_kubeconfig_says_where_and_as_whom(bench):
    held = bench.put(copy(1), **by(kubeconfig(bench)))

    assert held.mark == Mark(1, 1, OURS)
    assert bench.stored() == token(1)


def test_a_client_s_certificate_is_an_identity(monkeypatch):
    be_a_host(monkeypatch)
    authority = trustme.CA()
    bench = KubernetesBench(double=KubernetesDouble(client_authority=authority))
    bench.start()
    own = authority.issue_cert("keyturn.example.com")
    certificate = "".join(it.bytes().decode() for it in own.cert_chain_pems)
    user = {
        "client-certificate-data": encoded(certificate),
        "client-key-data": encoded(own.private_key_pem.bytes().decode()),
    }

    bench.put(copy(1), **by(kubeconfig(bench, user=user)))
    stored = bench.stored()
    with bench.failing(Transient):
        bench.put(copy(2))  # a token alone does not get through the handshake
    bench.finish()
    bench.stop()

    assert stored == token(1)


def test_of_several_contexts_the_current_one_counts(bench):
    document = kubeconfig(bench)
    document["clusters"].append({"name": "two", "cluster": {"server": "https://two.example.com"}})
    document["contexts"].append({"name": "b", "context": {"cluster": "two", "user": "keyturn"}})

    assert bench.put(copy(1), **by(document)).mark == Mark(1, 1, OURS)
    with pytest.raises(ValueError, match="current context"):
        bench.sink(**by({**document, "current-context": "c"}))


PROGRAM = {"command": "canary", "apiVersion": "client.authentication.k8s.io/v1"}


@pytest.mark.parametrize(
    ("user", "named"),
    [
        ({"exec": PROGRAM}, "user.exec"),
        ({"auth-provider": {"name": "gcp", "config": {"cmd-path": "canary"}}}, "user.auth-prov"),
        ({"tokenFile": "/var/run/canary"}, "user.tokenFile"),
        ({"client-certificate": "/canary", "client-key": "/canary"}, "user.client-certificate"),
        ({"client-key": "/canary"}, "user.client-key"),
        ({"username": "canary", "password": "canary"}, "user.password"),
        ({"token": TOKEN, "as": "canary"}, "only these are taken"),
        ({}, "give a token"),
        ({"token": "canary\nX-Remote-User: root"}, "user.token"),
        ({"token": 5}, "user.token"),
        ({"client-certificate-data": encoded("canary")}, "belong together"),
        ({"client-certificate-data": "canary!", "client-key-data": "canary!"}, "base64"),
        (
            {"client-certificate-data": encoded("canary"), "client-key-data": encoded("canary")},
            "not a pair",
        ),
    ],
)
def test_what_a_user_may_not_have_is_refused_by_name(bench, user, named):
    with pytest.raises(ValueError, match=named) as refused:
        bench.sink(**by(kubeconfig(bench, user=user)))

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("cluster", "named"),
    [
        ({"certificate-authority": "/canary"}, "cluster.certificate-authority"),
        ({"insecure-skip-tls-verify": True}, "cluster.insecure-skip-tls-verify"),
        ({"proxy-url": "http://canary"}, "cluster.proxy-url"),
        ({"server": "unix:///canary"}, "cluster.server"),
        ({"server": None}, "cluster.server"),
        ({"certificate-authority-data": "canary!"}, "base64"),
        ({"certificate-authority-data": encoded("canary")}, "certificates as PEM"),
        ({"canary": 1}, "only these are taken"),
    ],
)
def test_what_a_cluster_may_not_have_is_refused_by_name(bench, cluster, named):
    with pytest.raises(ValueError, match=named) as refused:
        bench.sink(**by(kubeconfig(bench, cluster=cluster)))

    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "canary",
        "[canary]",
        "{canary: ",
        "!!python/object/apply:os.system [canary]",
        "clusters: 5",
        "clusters: [5]",
        "canary: 5",
        "contexts: [{context: {cluster: a, user: b}}]",
        "{" * 10_000,
    ],
)
def test_what_is_no_kubeconfig_is_refused_without_quoting_it(bench, document):
    with pytest.raises(ValueError, match="kubeconfig") as refused:
        bench.sink(**by(document))

    assert "canary" not in str(refused.value)


def test_an_encrypted_key_is_refused_and_asks_nobody(bench):
    own = trustme.CA().issue_cert("keyturn.example.com")
    pem = own.private_key_pem.bytes().decode()
    locked = pem.replace(
        "-----\n", "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\n", 1
    )
    user = {
        "client-certificate-data": encoded(own.cert_chain_pems[0].bytes().decode()),
        "client-key-data": encoded(locked),
    }

    with pytest.raises(ValueError, match="not a pair"):
        bench.sink(**by(kubeconfig(bench, user=user)))


@pytest.mark.parametrize("auth", ["kubeconfig", "in-cluster"])
def test_an_identity_that_knows_its_cluster_goes_to_no_other(bench, auth):
    config = by(kubeconfig(bench)) if auth == "kubeconfig" else bench.in_cluster()

    for address in ({"server": "https://evil.example.com"}, {"ca_bundle": bench.double.ca_pem}):
        with pytest.raises(ValueError, match="server and ca_bundle go with a token"):
            bench.sink(**{**config, **address})


def test_the_pod_s_identity_is_used_only_where_the_operator_lends_it(bench):
    config = bench.in_cluster()
    ports = lent(service_account=bench.ports.service_account)

    with bench.failing(Misconfigured) as refused:
        bench.sink(**config).put(copy(1), ports)
    bench.put(copy(1), **config)

    assert "KEYTURN_AMBIENT_CREDENTIALS" in str(refused.value)
    assert bench.stored() == token(1)


def test_outside_a_cluster_there_is_no_such_identity(bench, tmp_path):
    config = bench.in_cluster()
    ports = lent(ambient_credentials=True, service_account=tmp_path)

    with bench.failing(Misconfigured) as refused:
        bench.sink(**config).put(copy(1), ports)

    assert "does not run in a cluster" in str(refused.value)


def test_a_pod_s_token_is_read_anew_for_every_send(bench):
    config = bench.in_cluster()
    sink = bench.sink(**config)
    sink.put(copy(1), bench.ports)
    bench.renew()
    bench.double.clear()

    sink.put(copy(2), bench.ports)

    used = {request.headers["Authorization"] for request in bench.double.requests}
    assert used == {f"Bearer {RENEWED}"}


def test_a_pod_s_token_that_ends_and_is_not_replaced_is_the_destination_s_problem(bench):
    config = bench.in_cluster()
    bench.double.tokens = set()

    with bench.failing(DestinationRefused):
        bench.put(copy(1), **config)

    assert len(bench.double.requests) == 1


def test_a_certificate_of_another_authority_is_not_trusted(bench):
    other = trustme.CA().cert_pem.bytes().decode()

    for config in ({"ca_bundle": other}, {"ca_bundle": None}):
        with bench.failing(DestinationRefused) as refused:
            bench.put(copy(1), **config)
        assert "not trusted" in str(refused.value)


def test_a_certificate_for_another_name_is_not_trusted(bench):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    bench.double.authority.issue_cert("other.example.com").configure_cert(context)
    bench.double.tls = context

    with bench.failing(DestinationRefused) as refused:
        bench.put(copy(1))

    assert "not trusted" in str(refused.value)


def test_lanes_of_one_cluster_are_counted_together(bench):
    by_token = bench.sink(server="https://Cluster.example.com:6443/")
    at = {"server": "https://cluster.example.com:6443"}
    by_document = bench.sink(**by(kubeconfig(bench, cluster=at)))

    assert by_token.quota_key("a") == by_document.quota_key("b") == "cluster.example.com:6443"
    assert bench.sink(**bench.in_cluster()).quota_key("a") == "in-cluster"


def test_no_proxy_of_the_environment_is_used(bench, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    bench.put(copy(1))

    assert bench.stored() == token(1)


def test_a_closed_sink_has_no_connection_left(bench):
    sink = bench.sink()
    assert isinstance(sink, KubernetesSecretsSink)
    sink.put(copy(1), bench.ports)

    sink.close()
    sink.close()

    assert sink._wire is None
    assert sink.read(PATH, bench.ports).mark == Mark(1, 1, OURS)
