"""What only the sink for Azure Key Vault does."""

from dataclasses import replace

import pytest
from pydantic import ValidationError
from truefoundry_sdk.types import (
    AzureClientSecretAuth,
    AzureOAuth,
    AzureVault,
    AzureWorkloadIdentityAuth,
)

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from core.layout import Layout
from sinks.azure.auth import ClientSecretAuth, OAuthAuth, WorkloadIdentityAuth
from sinks.azure.key_vault import KeyVaultSink
from sinks.base import Removal
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.support.azure_double import CLIENT, TENANT, VAULT

NAME = "app--key"
AT = f"/secrets/{NAME}"
FACTS = {
    "account": "ci",
    "generation": "3",
    "rotated-at": "2026-11-24T00:00:00Z",
    "previous-valid-until": "2026-11-25T00:00:00Z",
    "next-rotation": "2026-12-24T00:00:00Z",
    "valid-until": "2027-01-01T00:00:00Z",
}


def remove(bench, **changed):
    """Removes our copy at the usual path."""
    bench.sink(**changed).remove(Removal(PATH, OURS), bench.ports)


def to_the_vault(azure):
    """The verbs and paths that the vault itself was called with."""
    return [(it.method, it.path) for it in azure.requests if it.headers["Host"] == VAULT]


def test_the_fields_are_those_of_the_public_sdk_and_a_few_of_our_own():
    theirs = set(AzureVault.model_fields) - {"type", "name", "authorized_subjects"}
    ours = {"cloud", "purge", "ca_bundle", "timeout", "on_drift"}

    assert set(KeyVaultSink.model_fields) == theirs | ours
    assert set(OAuthAuth.model_fields) == set(AzureOAuth.model_fields)
    assert set(ClientSecretAuth.model_fields) == set(AzureClientSecretAuth.model_fields)
    assert set(WorkloadIdentityAuth.model_fields) == set(AzureWorkloadIdentityAuth.model_fields)


def test_a_version_is_the_value_with_mark_facts_and_end_in_one_call(azure_bench, azure):
    azure_bench.put(replace(copy(3), facts=FACTS))

    (sent,) = azure.seen(f"PUT {AT}")
    document = sent.json()
    assert len(document["tags"].pop("fingerprint")) == 32
    assert document == {
        "value": token(3),
        "contentType": "text/plain",
        "attributes": {"exp": 1_798_761_600},
        "tags": {
            "managed-by": "keyturn",
            "place": str(OURS),
            "epoch": "1",
            "revision": "3",
            **FACTS,
        },
    }


@pytest.mark.parametrize("end", ["", "soon", "2027-01-01T00:00:00"])
def test_a_token_without_a_known_end_has_no_exp(azure_bench, azure, end):
    azure_bench.put(replace(copy(1), facts={**FACTS, "valid-until": end}))

    assert "exp" not in azure.secrets[NAME][-1].attributes


def test_tags_are_no_more_and_no_longer_than_azure_takes(azure_bench, azure):
    azure_bench.put(replace(copy(1), facts={**FACTS, "account": "a" * 300}))

    tags = azure.secrets[NAME][-1].tags
    assert (len(tags), len(tags["account"])) == (11, 256)


def test_a_document_says_what_it_is(azure_bench, azure):
    azure_bench.put(copy(1, layout=Layout(form="json")))

    assert azure.secrets[NAME][-1].content_type == "application/json"


def test_a_write_is_read_before_and_after_and_a_repeat_only_before(azure_bench, azure):
    sink = azure_bench.sink()

    for revision in (1, 1, 2):
        sink.put(copy(revision), azure_bench.ports)

    read = ("GET", f"{AT}/")
    challenged, *rest = to_the_vault(azure)
    assert challenged == read
    assert rest == [read, ("PUT", AT), read, read, read, ("PUT", AT), read]


def test_what_is_confirmed_is_the_id_of_the_version_that_is_current(azure_bench, azure):
    held = azure_bench.put(copy(1))

    assert held.version == azure.secrets[NAME][-1].id


@pytest.mark.parametrize(
    ("given", "place", "name"),
    [
        ("prod/ci-bot", "prod/ci-bot", "prod--ci-bot"),
        ("/Prod//CI-Bot/", "prod/ci-bot", "prod--ci-bot"),
        ("prod--ci-bot", "prod/ci-bot", "prod--ci-bot"),
        ("a", "a", "a"),
        ("7/8", "7/8", "7--8"),
        ("x" * 127, "x" * 127, "x" * 127),
    ],
)
def test_a_path_has_one_name_and_a_name_one_path(azure_bench, azure, given, place, name):
    sink = azure_bench.sink()

    found = sink.place(given)
    sink.put(copy(1, path=found), azure_bench.ports)

    assert (found, sink.place(found), list(azure.secrets)) == (place, place, [name])


@pytest.mark.parametrize("path", ["a-/b", "a/-b", "a---b", "x/" * 50, "a/b/" + "c" * 122])
def test_a_path_that_would_share_a_name_or_be_too_long_is_refused(azure_bench, path):
    with azure_bench.failing(PlaceRefused):
        azure_bench.sink().place(path)


def test_a_disabled_secret_is_that_place_s_problem(azure_bench, azure):
    azure_bench.put(copy(1))
    azure.secrets[NAME][-1].attributes["enabled"] = False

    with azure_bench.failing(PlaceRefused) as refused:
        azure_bench.put(copy(2))

    assert "disabled" in str(refused.value)


def test_a_value_written_over_ours_reads_as_revision_0(azure_bench):
    azure_bench.put(copy(1))
    azure_bench.write_foreign()

    assert azure_bench.sink().read(PATH, azure_bench.ports).mark == Mark(0, 0, OURS)


def test_a_value_written_over_ours_with_copied_tags_is_found_and_put_right(azure_bench, azure):
    azure_bench.put(copy(1))
    azure.write(NAME, "foreign", dict(azure.secrets[NAME][-1].tags))

    found = azure_bench.sink().read(PATH, azure_bench.ports)
    azure_bench.put(copy(1))

    assert found.mark == Mark(0, 0, OURS)
    assert azure_bench.history() == [token(1), "foreign", token(1)]


def test_the_youngest_of_several_marks_says_whose_a_secret_is(azure_bench):
    azure_bench.put(copy(9))
    azure_bench.put(copy(1, place=OTHERS, replaces=frozenset({OURS})))
    azure_bench.write_foreign()

    assert azure_bench.sink().read(PATH, azure_bench.ports).mark == Mark(0, 0, OTHERS)
    with azure_bench.failing(PlaceRefused):
        azure_bench.put(copy(10))


def test_one_call_lists_versions_however_many_there_are(azure_bench, azure):
    for _ in range(60):
        azure.write(NAME, "foreign")

    with azure_bench.failing(PlaceRefused):
        azure_bench.put(copy(1))

    assert len(azure.seen(f"GET {AT}/versions")) == 1


def test_a_write_that_another_came_after_is_not_confirmed(azure_bench):
    azure_bench.put(copy(1))

    with azure_bench.failing(Transient):
        azure_bench.put_around(copy(2), 5, azure_bench.write_foreign)
    azure_bench.put(copy(2))

    assert azure_bench.history() == [token(1), token(2), "foreign", token(2)]


def test_a_removal_can_be_recovered_and_takes_every_version(azure_bench, azure):
    azure_bench.put(copy(1))
    azure_bench.put(copy(2))

    remove(azure_bench)

    assert [it.value for it in azure.deleted[NAME]] == [token(1), token(2)]


def test_a_removal_leaves_what_somebody_else_wrote_over_our_copy(azure_bench):
    azure_bench.put(copy(1))
    azure_bench.write_foreign()

    remove(azure_bench, purge=True)

    assert azure_bench.stored() == "foreign"


def test_a_deleted_secret_of_ours_is_recovered_and_then_written(azure_bench):
    azure_bench.put(copy(1))
    remove(azure_bench)

    held = azure_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert azure_bench.history() == [token(1), token(2)]


def test_a_deleted_copy_that_is_wanted_again_is_recovered_without_a_new_version(azure_bench):
    azure_bench.put(copy(1))
    remove(azure_bench)

    held = azure_bench.put(copy(1))

    assert held.mark == Mark(1, 1, OURS)
    assert azure_bench.history() == [token(1)]


def test_a_recovery_that_takes_its_time_is_written_at_the_next_try(azure_bench, azure):
    azure_bench.put(copy(1))
    remove(azure_bench)
    azure.is_slow = True

    with azure_bench.failing(Transient):
        azure_bench.put(copy(2))
    held = azure_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert azure_bench.history() == [token(1), token(2)]


@pytest.mark.parametrize("how", ["drop", "lose_answer"])
@pytest.mark.parametrize("call", range(1, 10))
def test_a_recovery_cut_off_at_any_call_is_finished_by_its_repeat(azure_bench, call, how):
    azure_bench.put(copy(1))
    remove(azure_bench)
    azure_bench.cut_off(copy(2), call, **{how: True})

    held = azure_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert azure_bench.history() == [token(1), token(2)]


def test_a_newer_copy_that_was_deleted_is_not_followed_by_an_older_one(azure_bench, azure):
    azure_bench.put(copy(2))
    remove(azure_bench)

    held = azure_bench.put(copy(1))

    assert held.mark == Mark(1, 2, OURS)
    assert list(azure.deleted) == [NAME]


def test_somebody_else_s_deleted_secret_is_left_where_it_is(azure_bench, azure):
    azure.write(NAME, "foreign")
    azure.deleted[NAME] = azure.secrets.pop(NAME)

    with azure_bench.failing(PlaceRefused) as refused:
        azure_bench.put(copy(1))
    left = list(azure.deleted)
    azure_bench.put(copy(1, adopt=True))

    assert "adopt: true" in str(refused.value)
    assert (left, azure_bench.history()) == ([NAME], ["foreign", token(1)])


def test_a_name_that_is_neither_there_nor_deleted_nor_free_is_tried_again(azure_bench, azure):
    gone = {"error": {"code": "Conflict", "innererror": {"code": "ObjectIsDeletedButRecoverable"}}}
    azure.fault("PUT *", status=409, body=gone)

    with azure_bench.failing(Transient):
        azure_bench.put(copy(1))


def test_a_removal_with_purge_leaves_nothing(azure_bench, azure):
    azure_bench.put(copy(1))

    remove(azure_bench, purge=True)

    assert (azure.secrets, azure.deleted) == ({}, {})


def test_a_purge_waits_until_the_deletion_is_done(azure_bench, azure):
    azure_bench.put(copy(1))
    azure.is_slow = True

    with azure_bench.failing(Transient):
        remove(azure_bench, purge=True)
    remove(azure_bench, purge=True)
    remove(azure_bench, purge=True)

    assert (azure.secrets, azure.deleted) == ({}, {})


def test_a_purge_leaves_what_somebody_else_deleted(azure_bench, azure):
    azure_bench.put(copy(1, place=OTHERS))
    azure.deleted[NAME] = azure.secrets.pop(NAME)

    remove(azure_bench, purge=True)

    assert list(azure.deleted) == [NAME]


def test_a_vault_that_purges_nothing_is_told_to_its_owner(azure_bench, azure):
    azure_bench.put(copy(1))
    azure.is_purge_protected = True

    with azure_bench.failing(PlaceRefused) as refused:
        remove(azure_bench, purge=True)

    assert "purge" in str(refused.value)


def test_the_check_reads_only(azure_bench, azure):
    said = azure_bench.sink().check(azure_bench.ports)

    assert said == f"{VAULT} answers and lets secrets be read; writing was not tried."
    assert {it[0] for it in to_the_vault(azure)} == {"GET"}


def test_the_quota_belongs_to_the_vault(azure_bench):
    sink = azure_bench.sink(key_vault_name="KV-Main", timeout=5)

    assert sink.quota_key("") == VAULT
    assert (sink.pace.per_second, sink.pace.cost, sink.pace.send_limit) == (30, 1, 60)


APP = {"type": "client-secret", "tenant_id": TENANT, "client_id": CLIENT, "client_secret": CANARY}


@pytest.mark.parametrize(
    "wrong",
    [
        {"key_vault_name": "canary.example.com"},
        {"key_vault_name": "https://canary"},
        {"key_vault_name": "-canary"},
        {"key_vault_name": "canary/x"},
        {"vault_url": "https://canary.vault.azure.net"},
        {"cloud": "canary"},
        {"timeout": 0},
        {"ca_bundle": "canary"},
        {"auth_data": {**APP, "tenant_id": "../canary"}},
        {"auth_data": {**APP, "tenant_id": "canary/.."}},
        {"auth_data": {**APP, "client_id": "canary"}},
        {"auth_data": {**APP, "client_secret": ""}},
        {"auth_data": {**APP, "authority": "https://canary.example.com"}},
        {"auth_data": {"type": "workload-identity", "token_file_path": "/canary"}},
        {"auth_data": {"type": "managed-identity", "client_id": "canary"}},
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(azure_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        azure_bench.sink(**wrong)

    assert "canary" not in str(refused.value).lower()
