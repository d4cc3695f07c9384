"""How Google Secret Manager's sink is configured, and what follows from it."""

from datetime import timedelta

import pytest

from core.errors import PlaceRefused
from core.ids import Mark
from models import Tenant
from services.integrations.describing import describe, masked
from sinks.google.identity import GoogleService
from sinks.google.secret_manager import GoogleSecretManagerSink
from tests.conformance.sink_bench import OURS, PATH, copy, token
from tests.support.google_double import PROJECT, key_file

KEY = "projects/acme-keys/locations/{}/keyRings/ring/cryptoKeys/key"


@pytest.mark.parametrize(
    ("how", "kept", "states"),
    [
        ("keep", 2, ["ENABLED"] * 5),
        ("disable", 2, ["DISABLED"] * 3 + ["ENABLED"] * 2),
        ("destroy", 2, ["DESTROYED"] * 3 + ["ENABLED"] * 2),
        ("destroy", 4, ["DESTROYED"] + ["ENABLED"] * 4),
    ],
)
def test_old_versions_go_as_configured_and_the_last_two_stay(
    google_bench, google, how, kept, states
):
    google.allowed |= {f"secretmanager.versions.{it}" for it in ("list", "disable", "destroy")}

    for revision in range(1, 6):
        google_bench.put(copy(revision), old_versions=how, versions_kept=kept)

    assert [it.state for it in google.secrets[google_bench.name()].versions] == states


def test_many_old_versions_go_a_few_at_a_time(google_bench, google):
    google.allowed |= {"secretmanager.versions.list", "secretmanager.versions.destroy"}
    for revision in range(1, 9):
        google_bench.put(copy(revision))

    google_bench.put(copy(9), old_versions="destroy")

    states = [it.state for it in google.secrets[google_bench.name()].versions]
    assert states == ["DESTROYED"] * 3 + ["ENABLED"] * 6


@pytest.mark.parametrize("how", [{"status": 503}, {"status": 403}, {"drop": True}])
def test_a_copy_counts_as_written_although_an_old_version_stays(google_bench, google, how):
    google.allowed |= {"secretmanager.versions.list", "secretmanager.versions.disable"}
    google_bench.put(copy(1))
    google_bench.put(copy(2))
    google.fault("POST *:disable", **how)

    held = google_bench.put(copy(3), old_versions="disable")
    google_bench.put(copy(4), old_versions="disable")

    assert held.mark == Mark(1, 3, OURS)
    states = [it.state for it in google.secrets[google_bench.name()].versions]
    assert states == ["DISABLED", "DISABLED", "ENABLED", "ENABLED"]


def test_fewer_than_two_versions_cannot_be_kept(google_bench):
    with pytest.raises(ValueError, match="greater than or equal to 2"):
        google_bench.sink(versions_kept=1)


def test_a_slash_is_two_underscores_in_a_secret_s_name(google_bench):
    sink = google_bench.sink()

    assert sink.place("/app/key/") == sink.place("app__key") == PATH
    assert sink.place("A-b_c/1") == "A-b_c/1"
    for spelled in ("a_/b", "a/_b", "a___b"):
        assert sink.place(sink.place(spelled)) == sink.place(spelled)
    assert sink.place("a_/b") == sink.place("a/_b")  # one secret, one place


def test_the_prefix_counts_for_the_length_of_a_name(google_bench):
    assert google_bench.sink(root_path="/keyturn/prod/").place("x" * 240) == "x" * 240
    assert google_bench.sink(root_path=None).place("x" * 255) == "x" * 255

    with google_bench.failing(PlaceRefused):
        google_bench.sink(root_path="/keyturn/prod/").place("x" * 241)


def test_regional_secrets_are_in_their_region_with_its_key(google_bench, google):
    region = "europe-west3"
    key = KEY.format(region)

    google_bench.put(copy(1), location=region, kms_keys=[key])

    name = google_bench.name().replace("/secrets/", f"/locations/{region}/secrets/")
    secret = google.secrets[name]
    assert secret.given["customerManagedEncryption"] == {"kmsKeyName": key}
    assert "replication" not in secret.given
    assert secret.versions[0].data.decode() == token(1)


def test_a_secret_is_kept_where_the_integration_says_each_with_its_key(google_bench, google):
    where = ["europe-west3", "europe-west4"]

    google_bench.put(copy(1), replication_locations=where, kms_keys=[*map(KEY.format, where)])

    replicas = google.secrets[google_bench.name()].given["replication"]["userManaged"]["replicas"]
    assert replicas == [
        {"location": it, "customerManagedEncryption": {"kmsKeyName": KEY.format(it)}}
        for it in where
    ]


def test_one_key_is_enough_where_google_chooses(google_bench, google):
    google_bench.put(copy(1), kms_keys=[KEY.format("global")])

    replication = google.secrets[google_bench.name()].given["replication"]
    encryption = {"kmsKeyName": KEY.format("global")}
    assert replication == {"automatic": {"customerManagedEncryption": encryption}}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kms_keys": [KEY.format("europe-west3")]}, "one key for each of: global"),
        (
            {"kms_keys": [KEY.format("us-east1")], "location": "us-east4"},
            "one key for each of: us-east4",
        ),
        ({"location": "us-east1", "replication_locations": ["us-east4"]}, "not both"),
        ({"kms_keys": ["my-key"]}, "pattern"),
        ({"root_path": "/"}, "pattern"),
        ({"root_path": "a//b"}, "pattern"),
        ({"location": "../metadata"}, "pattern"),
        ({"location": "evil.example.com/"}, "pattern"),
        ({"labels": {"managed-by": "me"}}, "Keyturn's own"),
        ({"labels": {"Team": "x"}}, "pattern"),
        ({"project_id": "x/../y"}, "pattern"),
        ({"project_id": None, "auth_data": None}, "give project_id"),
        ({"_google": {"api": "https://evil.example.com"}}, "Extra inputs"),
        ({"api": "https://evil.example.com"}, "Extra inputs"),
        ({"endpoint_url": "https://evil.example.com"}, "Extra inputs"),
    ],
)
def test_a_configuration_that_cannot_be_is_refused(google_bench, wrong, said):
    with pytest.raises(ValueError, match="validation error") as refused:
        google_bench.sink(**wrong)

    assert said in str(refused.value)


def test_google_is_where_google_is():
    google = GoogleService()

    assert GoogleSecretManagerSink._google == google
    assert google.api == "https://secretmanager.googleapis.com"
    assert google.regional.format("us-east1") == "https://secretmanager.us-east1.rep.googleapis.com"
    assert google.tokens == "https://oauth2.googleapis.com/token"


def test_integrations_of_one_project_share_its_quota(google_bench):
    sinks = [google_bench.sink(), google_bench.sink(project_id=None, root_path="b")]

    assert {it.quota_key("") for it in sinks} == {PROJECT}
    assert sinks[0].pace.per_second / sinks[0].pace.cost == 5
    assert google_bench.sink(old_versions="destroy").pace.cost == 3


def test_a_send_takes_as_long_as_its_calls(google_bench):
    assert google_bench.sink(timeout=5).pace.send_limit == 45
    assert google_bench.sink(timeout=5, old_versions="disable").pace.send_limit == 65


def test_a_copy_bears_a_version_a_second_and_is_looked_for_every_two_minutes():
    assert GoogleSecretManagerSink.shortest_interval == timedelta(seconds=1)
    assert GoogleSecretManagerSink.usual_refresh == timedelta(minutes=2)


def test_a_manifest_of_the_public_sdk_is_understood():
    from truefoundry_sdk import GcpGsm, GcpKeyFileAuth

    auth = GcpKeyFileAuth(key_file_content=key_file())
    given = GcpGsm(name="main", auth_data=auth).dict(exclude_none=True)

    sink = GoogleSecretManagerSink.model_validate({"auth_data": given["auth_data"]})

    assert given["type"] == f"integration/secret-store/{GoogleSecretManagerSink.kind}"
    assert sink.quota_key("") == PROJECT


def test_project_and_key_are_inherited_from_the_provider_account_and_the_key_is_masked():
    auth = {"type": "key-file", "key_file_content": key_file()}
    store = {"type": "integration/secret-store/gcp/gsm", "name": "main"}
    manifest = {
        "type": "provider-account/gcp",
        "name": "production",
        "project_id": "another-project",
        "auth_data": auth,
        "integrations": [store],
    }

    described = describe(Tenant(name="acme"), "gcp", "production", manifest)

    assert described[0].fqn == "acme:gcp:production:secret-store:main"
    assert described[0].plugin.quota_key("") == "another-project"
    assert key_file()["private_key"].splitlines()[1] not in str(masked(manifest, described))
