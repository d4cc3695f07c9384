"""What is special about keys in Vault and AWS, whose secrets can be written as a whole too."""

import json
from dataclasses import replace

import pytest

from core.errors import PlaceRefused
from core.ids import Mark
from sinks.base import Removal
from sinks.entries import Said, fingerprint
from tests.conformance.keyed import KEY, OTHER_KEY, mark, ours, read, text, theirs
from tests.conformance.sink_bench import OURS, PATH, copy, token
from tests.conformance.sinks import BENCHES

AT = f"keyturn/{PATH}"


@pytest.fixture(params=["hashicorp/vault", "aws/secrets-manager"])
def both(request, vault_bench, aws_bench):
    """Each store in turn whose secrets can be written both ways."""
    bench = vault_bench if request.param == "hashicorp/vault" else aws_bench
    bench.allow_keys()
    return bench


def test_a_key_is_refused_in_a_secret_that_is_written_as_a_whole(both):
    both.put(copy(1))
    before = both.history()

    for adopt in (False, True):
        with both.failing(PlaceRefused) as refused:
            both.put(ours(1, adopt=adopt))

    assert "as a whole" in str(refused.value)
    assert both.history() == before


def test_a_whole_is_refused_where_keys_are_written(both):
    both.put(ours(1))
    before = both.history()

    for adopt in (False, True):
        with both.failing(PlaceRefused) as refused:
            both.put(copy(1, adopt=adopt))

    assert "one by one" in str(refused.value)
    assert both.history() == before


def test_a_whole_s_removal_leaves_keys(both):
    both.put(ours(1))

    both.sink().remove(Removal(PATH, OURS), both.ports)

    assert mark(both) == Mark(1, 1, OURS)


def test_the_kinds_with_keys_are_those_that_are_documented():
    assert {kind for kind, bench in BENCHES.items() if bench.keyed} == {
        "aws/secrets-manager",
        "hashicorp/vault",
        "kubernetes/secret",
    }


def test_what_is_said_of_a_key_fits_into_vault_s_metadata(vault_bench, vault):
    vault_bench.allow_keys()
    facts = {"account": "x" * 400, "generation": "1", "next-rotation": "2026-01-01T00:00:00Z"}

    vault_bench.put(replace(ours(1), facts=facts))

    said = json.loads(vault.custom_metadata(AT)[f"keyturn:{KEY}"])
    assert "account" not in said
    assert said["next-rotation"] == facts["next-rotation"]
    assert said["version"] == "1"


def test_vault_s_sixty_five_marks_are_refused_in_words(vault_bench, vault):
    vault_bench.allow_keys()
    for number in range(64):
        vault_bench.put(ours(1, key=f"key-{number}"))

    with vault_bench.failing(PlaceRefused) as refused:
        vault_bench.put(ours(1))

    assert "64 custom metadata" in str(refused.value)
    assert len(vault.custom_metadata(AT)) == 64


def test_other_metadata_of_a_vault_secret_stay(vault_bench, vault):
    vault_bench.allow_keys()
    vault_bench.write_entry(PATH, "password", "hunter2")
    vault._store("").secrets[AT].custom_metadata = {"owner": "team-a"}

    vault_bench.put(ours(1))
    vault_bench.sink().remove(Removal(PATH, OURS, KEY), vault_bench.ports)

    assert vault.custom_metadata(AT) == {"owner": "team-a"}


def test_whatever_json_has_stays_beside_a_key(vault_bench, aws_bench, aws):
    given = {"number": 5432, "list": [1, {"a": None}], "text": "ü"}
    vault_bench.allow_keys()
    aws_bench.allow_keys()
    for bench in (vault_bench, aws_bench):
        for name, value in given.items():
            bench.write_entry(PATH, name, value)

        bench.put(ours(1))

        assert bench.entries() == {**given, KEY: token(1)}


def test_a_repeat_of_a_key_asks_vault_for_its_metadata_and_data_alone(vault_bench, vault):
    vault_bench.allow_keys()
    vault_bench.put(ours(1))
    vault.clear()

    vault_bench.put(ours(1))
    read(vault_bench)

    asked = [(it.method, it.path.split("/")[3]) for it in vault.seen("* /v1/secret/*")]
    assert asked == [("GET", "metadata"), ("GET", "data"), ("GET", "metadata")]


def test_keys_after_a_deleted_version_begin_anew(vault_bench, vault):
    vault_bench.allow_keys()
    vault_bench.put(ours(1))
    vault_bench.put(theirs(1))
    vault._store("").delete_data(AT, None)
    gone = read(vault_bench)

    vault_bench.put(ours(2))

    assert gone is None
    assert vault_bench.entries() == {KEY: text(ours(2))}
    assert read(vault_bench, OTHER_KEY) is None


@pytest.mark.parametrize("value", ["no json", '["a list"]', '"text"', ""])
def test_a_value_of_aws_that_is_no_json_object_is_refused(aws_bench, value):
    aws_bench.allow_keys()
    aws_bench._write(PATH, value or " ")
    before = aws_bench.history()

    with aws_bench.failing(PlaceRefused) as refused:
        aws_bench.put(ours(1, adopt=True))

    assert "no JSON object" in str(refused.value)
    assert aws_bench.history() == before
    assert read(aws_bench).mark is None


def test_a_value_that_replaced_all_keys_is_drift_of_each(aws_bench):
    aws_bench.allow_keys()
    aws_bench.put(ours(1))
    aws_bench._write(PATH, "no json")

    assert mark(aws_bench) == Mark(0, 0, OURS)


def test_what_replaced_all_keys_amid_a_send_stays_the_current_value(aws_bench, aws):
    aws_bench.allow_keys()
    aws_bench.put(ours(1))

    with aws_bench.failing(PlaceRefused):
        aws_bench.put_around(ours(2), 3, lambda: aws_bench._write(PATH, "no json"))

    assert aws_bench.stored() == "no json"


def test_an_unchanged_secret_of_aws_is_told_without_its_value(aws_bench, aws):
    aws_bench.allow_keys()
    aws_bench.put(ours(1))
    aws.clear()

    read(aws_bench)

    assert aws.calls("DescribeSecret") == 1
    assert aws.calls("GetSecretValue") == 0


def test_a_secret_that_is_scheduled_for_deletion_takes_no_key(aws_bench, aws):
    aws_bench.allow_keys()
    aws_bench.write_entry(PATH, "password", "hunter2")
    client = aws.client()
    client.delete_secret(SecretId=AT, RecoveryWindowInDays=7)
    client.close()
    aws.clear()

    with aws_bench.failing(PlaceRefused) as refused:
        aws_bench.put(ours(1))

    assert "scheduled for deletion" in str(refused.value)
    assert read(aws_bench) is None


def test_a_version_that_was_rolled_back_is_made_current_again(aws_bench, aws):
    aws_bench.allow_keys()
    aws_bench.put(theirs(1))
    aws_bench.put(ours(1))
    older, newer = (it["VersionId"] for it in aws.versions(AT))
    client = aws.client()
    client.update_secret_version_stage(
        SecretId=AT, VersionStage="AWSCURRENT", MoveToVersionId=older, RemoveFromVersionId=newer
    )
    client.close()

    held = aws_bench.put(ours(1))

    assert held.mark == Mark(1, 1, OURS)
    assert aws_bench.entries() == {OTHER_KEY: text(theirs(1)), KEY: text(ours(1))}
    assert len(aws.versions(AT)) == 2


def test_a_tag_of_a_key_says_whose_it_is_in_aws_s_characters(aws_bench, aws):
    aws_bench.allow_keys()
    aws_bench.put(ours(1))
    client = aws.client()
    tags = {it["Key"]: it["Value"] for it in client.describe_secret(SecretId=AT)["Tags"]}
    client.close()

    words = tags[f"keyturn:{KEY}"].split(" ")
    assert words[:2] == [Mark(1, 1, OURS).version_id(), fingerprint(ours(1).text)]
    assert words[2] == aws.versions(AT)[0]["VersionId"]
    assert words[4] == "ci"
    assert len(tags[f"keyturn:{KEY}"]) <= 256


@pytest.mark.parametrize("given", [None, 5, "", "[]", "{", '{"managed-by": 1}', '{"a": "b"}'])
def test_what_keyturn_did_not_say_is_nobody_s_mark(given):
    assert Said.of_text(given) is None
