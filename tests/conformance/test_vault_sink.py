"""What only the Vault sink does."""

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from truefoundry_sdk.types import HashicorpVaultIntegration

from core.errors import DestinationRefused, Transient
from core.ids import Mark
from sinks.base import mark_metadata
from sinks.vault.kv import VaultSink
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.conformance.vault_bench import VaultBench

AT = f"keyturn/{PATH}"
DATA = f"/v1/secret/data/{AT}"
METADATA = f"/v1/secret/metadata/{AT}"
# Which call of a send it is: an update logs in, reads the metadata and the data, writes, describes.
WRITE, READ_BACK = 4, 6
# A new secret: it logs in, reads, claims.
READ_AGAIN = 4


def write(vault_bench: VaultBench, document: dict[str, Any]) -> None:
    """Somebody with every right writes a version."""
    sink = vault_bench.sink(auth_data={"type": "token", "token": "hvs.root"})
    secret = sink._secret(PATH, vault_bench.ports)
    stored = secret.stored()
    secret.write(document, cas=stored.version if stored else 0)


def test_the_fields_are_those_of_the_public_sdk_and_a_few_of_our_own():
    theirs = set(HashicorpVaultIntegration.model_fields) - {"type", "name", "authorized_subjects"}

    assert set(VaultSink.model_fields) - theirs == {"ca_bundle", "timeout", "on_drift"}
    assert theirs <= set(VaultSink.model_fields)


def test_the_document_is_the_token_and_the_metadata_are_mark_and_facts(vault_bench, vault):
    vault_bench.put(copy(3))

    assert vault.versions(AT) == [(1, {"token": token(3)})]
    facts = {"account": "ci", "generation": "3", "version": "1"}
    assert vault.custom_metadata(AT) == {**mark_metadata(Mark(1, 3, OURS)), **facts}


def test_our_mark_is_there_before_the_data(vault_bench, vault):
    vault_bench.put(copy(3))

    writes = [(it.path, it.json()) for it in vault.seen("POST /v1/secret/*")]
    assert [path for path, _ in writes] == [METADATA, DATA, METADATA]
    assert writes[0][1] == {"custom_metadata": mark_metadata(Mark(1, 0, OURS))}
    assert writes[1][1]["options"] == {"cas": 0}


def test_a_repeat_reads_and_writes_nothing(vault_bench, vault):
    vault_bench.put(copy(1))
    vault.clear()

    vault_bench.put(copy(1))

    assert vault.seen("POST /v1/secret/*") == []


def test_a_deleted_latest_version_is_followed_by_the_next(vault_bench, vault):
    vault_bench.put(copy(1))
    vault._store("").delete_data(AT, None)
    gone = vault_bench.sink().read(PATH, vault_bench.ports)

    held = vault_bench.put(copy(1))

    assert gone is None
    assert held.version == "2"
    assert vault.versions(AT) == [(1, None), (2, {"token": token(1)})]


def test_a_version_whose_deletion_is_planned_is_still_there(vault_bench, vault):
    vault_bench.put(copy(1))
    later = vault_bench.ports.clock.now() + timedelta(days=1)
    state = vault._store("").secrets[AT].versions[1]
    state["deletion_time"] = f"{later:%Y-%m-%dT%H:%M:%S}.000000000Z"

    held = vault_bench.sink().read(PATH, vault_bench.ports)

    assert held.mark == Mark(1, 1, OURS)


def test_keys_that_somebody_put_beside_ours_are_gone_with_the_next_put(vault_bench, vault):
    vault_bench.put(copy(1))
    write(vault_bench, {"token": token(1), "extra": "x"})

    vault_bench.put(copy(1))

    assert vault.versions(AT)[-1] == (3, {"token": token(1)})


def test_data_that_are_there_already_only_get_their_metadata(vault_bench, vault):
    vault_bench.put(copy(1))
    vault.fault(f"POST {METADATA}", drop=True)
    with vault_bench.failing(Transient):
        vault_bench.put(copy(2))
    before = vault.custom_metadata(AT)["revision"]

    held = vault_bench.put(copy(2))

    assert (before, held.version) == ("1", "2")
    assert vault.custom_metadata(AT)["revision"] == "2"


def test_the_operator_s_settings_of_a_secret_stay(vault_bench, vault):
    secret = vault._store("").secrets
    vault_bench.put(copy(1))
    secret[AT].cas_required, secret[AT].max_versions = True, 3
    secret[AT].delete_version_after = "768h"

    vault_bench.put(copy(2))

    assert (secret[AT].cas_required, secret[AT].max_versions) == (True, 3)
    assert secret[AT].delete_version_after == "768h"


def test_a_path_with_settings_and_no_data_is_free(vault_bench, vault):
    vault_bench.put(copy(1, path="other"))
    secrets = vault._store("").secrets
    secrets[AT] = type(secrets["keyturn/other"])("", "", max_versions=3)

    free = vault_bench.sink().read(PATH, vault_bench.ports)
    vault_bench.put(copy(1))

    assert free is None
    assert vault_bench.stored() == token(1)


def test_a_write_in_between_is_found_by_check_and_set(vault_bench, vault):
    vault_bench.put(copy(1))

    with vault_bench.failing(Transient) as found:
        vault_bench.put_around(copy(2), WRITE, vault_bench.write_foreign)
    held = vault_bench.put(copy(2))

    assert "same moment" in str(found.value)
    assert (held.version, vault_bench.stored()) == ("3", token(2))


def test_a_write_just_after_ours_is_found_by_reading_back(vault_bench, vault):
    vault_bench.put(copy(1))

    with vault_bench.failing(Transient):
        vault_bench.put_around(copy(2), READ_BACK, vault_bench.write_foreign)
    vault_bench.put(copy(2))

    assert vault_bench.stored() == token(2)


def test_a_newer_put_just_after_ours_is_what_is_answered(vault_bench):
    vault_bench.put(copy(1))

    held = vault_bench.put_around(
        copy(2), READ_BACK, lambda: describe_as(vault_bench, Mark(1, 9, OURS))
    )

    assert held.mark == Mark(1, 9, OURS)


@pytest.mark.parametrize("mark", [Mark(1, 1, OURS), Mark(1, 9, OTHERS)])
def test_a_mark_that_another_put_back_just_after_ours_is_tried_again(vault_bench, mark):
    vault_bench.put(copy(1))

    with vault_bench.failing(Transient):
        vault_bench.put_around(copy(2), READ_BACK, lambda: describe_as(vault_bench, mark))


def test_two_claims_at_once_are_one_and_a_repeat(vault_bench):
    theirs = Mark(1, 0, OTHERS)

    with vault_bench.failing(Transient) as found:
        vault_bench.put_around(copy(1), READ_AGAIN, lambda: describe_as(vault_bench, theirs))

    assert "claimed at the same moment" in str(found.value)


def describe_as(vault_bench: VaultBench, mark: Mark) -> None:
    """Another writer's mark stands there from now on."""
    vault_bench.double._store("").secrets[AT].custom_metadata = mark_metadata(mark)


def test_an_engine_of_version_1_is_refused_before_the_token_is_sent(vault_bench, vault):
    body = {"data": {"custom_metadata": mark_metadata(Mark(1, 0, OURS))}}
    vault.fault(f"GET {METADATA}", status=404, body={"errors": []})
    vault.fault(f"GET {METADATA}", body=body)
    vault.fault("GET /v1/secret/metadata/keyturn/keyturn-check", body=body)

    with vault_bench.failing(DestinationRefused) as put:
        vault_bench.put(copy(1))
    with vault_bench.failing(DestinationRefused):
        vault_bench.sink().check(vault_bench.ports)

    assert "KV v2" in str(put.value)
    assert [it for it in vault.requests if CANARY.encode() + b"-a" in it.body] == []


def test_a_send_s_limit_is_its_most_calls_times_their_timeout(vault_bench):
    assert vault_bench.sink(timeout=5).pace.send_limit == 40
    assert vault_bench.sink(timeout=5).pace.per_second is None


@pytest.mark.parametrize(
    ("path", "place"),
    [("a/b", "a/b"), ("/a//b/", "a/b"), ("a b/ü", "a b/ü")],
)
def test_a_path_is_normalised(vault_bench, path, place):
    assert vault_bench.sink().place(path) == place


def test_odd_characters_in_a_path_reach_vault_as_they_are(vault_bench, vault):
    vault_bench.put(copy(1, path="a b/ü?x#y%2e"))

    assert vault.versions("keyturn/a b/ü?x#y%2e") == [(1, {"token": token(1)})]


@pytest.mark.parametrize(
    "wrong",
    [
        {"vault_url": "ftp://canary"},
        {"vault_url": "https://canary:canary@vault"},
        {"vault_url": "https://vault/?canary"},
        {"kv_mount_path": "/"},
        {"kv_mount_path": "../canary"},
        {"root_path": "a/../canary"},
        {"ca_bundle": "/etc/ssl/canary.pem"},
        {"timeout": 0.01},
        {"timeout": 61},
        {"auth_data": {"token": "canary"}},
        {"auth_data": {"type": "token", "token": ""}},
        {"auth_data": {"type": "approle", "role_id": "r", "secret_id": "canary", "x": 1}},
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(vault_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        vault_bench.sink(**wrong)

    assert "canary" not in str(refused.value)
