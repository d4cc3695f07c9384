"""What only the AWS Secrets Manager sink does."""

from uuid import UUID

import pytest
from pydantic import ValidationError
from truefoundry_sdk.types import AwsSecretsManager

from core.errors import PlaceRefused, Transient
from core.ids import Mark
from sinks.aws.secrets_manager import SecretsManagerSink
from sinks.base import Removal
from tests.conformance.aws_bench import AwsBench
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.support.aws_double import AwsDouble, operation

NAME = f"keyturn/{PATH}"
ROLE = {
    "type": "assumed-role-based",
    "assumed_role_arn": "arn:aws:iam::210987654321:role/keyturn",
    "external_id": "tenant-7",
}


def stages(aws: AwsDouble) -> dict[str, list[str]]:
    """Each value that was written, with its labels."""
    return {it["value"]: it["stages"] for it in aws.versions(NAME)}


def asked(aws: AwsDouble, named: str) -> dict[str, object]:
    """What the last call of this operation carried."""
    last = [it for it in aws.requests if operation(it) == named][-1]
    return last.json() if last.headers["X-Amz-Target"] else last.form()


def test_the_fields_are_those_of_the_public_sdk_and_a_few_of_our_own():
    theirs = set(AwsSecretsManager.model_fields) - {"type", "name", "authorized_subjects"}
    inherited = {"aws_account_id"}
    ours = {"root_path", "recovery_window_days", "endpoint_url", "ca_bundle", "timeout", "on_drift"}

    assert set(SecretsManagerSink.model_fields) == theirs | inherited | ours


def test_a_new_secret_is_the_bare_token_with_tags_and_key(aws_bench, aws):
    key = "arn:aws:kms:us-east-1:123456789012:key/0192"

    held = aws_bench.put(copy(3), kms_arn=key, tags={"team": "ops", "cost-centre": 7})

    sent = asked(aws, "CreateSecret")
    assert sent["SecretString"] == token(3)
    assert (sent["KmsKeyId"], sent["Description"]) == (key, "Managed by Keyturn")
    assert {it["Key"]: it["Value"] for it in sent["Tags"]} == {
        "team": "ops",
        "cost-centre": "7",
        "managed-by": "keyturn",
        "place": str(OURS),
        "account": "ci",
    }
    assert held.version == sent["ClientRequestToken"] == Mark(1, 3, OURS).version_id()


def test_an_update_is_one_write_and_leaves_the_tags_alone(aws_bench, aws):
    aws_bench.put(copy(1))
    aws.clear()

    aws_bench.put(copy(2))

    called = [operation(it) for it in aws.requests]
    assert called == ["DescribeSecret", "PutSecretValue", "DescribeSecret"]


def test_the_token_in_grace_is_the_previous_version(aws_bench, aws):
    aws_bench.put(copy(1))

    aws_bench.put(copy(2))

    assert stages(aws) == {token(1): ["AWSPREVIOUS"], token(2): ["AWSCURRENT"]}


def test_a_late_old_write_is_put_right_by_whoever_made_it(aws_bench, aws):
    aws_bench.put(copy(1))

    held = aws_bench.put_around(copy(2), 2, lambda: aws_bench.put(copy(3)))

    assert held.mark == Mark(1, 3, OURS)
    assert stages(aws)[token(3)] == ["AWSCURRENT"]
    assert "AWSCURRENT" not in stages(aws)[token(2)]


def test_a_value_written_just_after_ours_gives_way(aws_bench, aws):
    aws_bench.put(copy(1))

    held = aws_bench.put_around(copy(2), 3, aws_bench.write_foreign)

    assert held.mark == Mark(1, 2, OURS)
    assert stages(aws)[token(2)] == ["AWSCURRENT"]


def test_a_value_that_will_not_give_way_is_tried_again(aws_bench, aws):
    aws_bench.put(copy(1))
    aws.fault("UpdateSecretVersionStage", error="InternalServiceError")

    with aws_bench.failing(Transient):
        aws_bench.put_around(copy(2), 3, aws_bench.write_foreign)
    aws_bench.put(copy(2))

    assert aws_bench.stored() == token(2)


def test_a_revision_with_another_value_is_refused_in_clear_words(aws_bench):
    aws_bench.put(copy(1))
    aws_bench.put(copy(2))

    with aws_bench.failing(PlaceRefused) as refused:
        force_older(aws_bench)

    assert "another value" in str(refused.value)


def force_older(aws_bench: AwsBench) -> None:
    """Puts a revision that exists, with other bytes."""
    secret = aws_bench.sink()._secret(PATH, aws_bench.ports)
    secret.put(copy(1, token=f"{CANARY}-other"))


def test_our_secret_scheduled_for_deletion_is_restored_and_written(aws_bench, aws):
    aws_bench.put(copy(1))
    aws_bench.sink().remove(Removal(PATH, OURS), aws_bench.ports)
    gone = aws_bench.sink().read(PATH, aws_bench.ports)

    aws_bench.put(copy(2))

    assert gone is None
    assert aws.calls("RestoreSecret") == 1
    assert aws_bench.stored() == token(2)


def test_the_same_copy_scheduled_for_deletion_is_only_restored(aws_bench, aws):
    aws_bench.put(copy(1))
    aws_bench.sink().remove(Removal(PATH, OURS), aws_bench.ports)

    held = aws_bench.put(copy(1))

    assert held.mark == Mark(1, 1, OURS)
    assert (aws.calls("PutSecretValue"), aws_bench.stored()) == (0, token(1))


def test_a_deleted_account_s_secret_is_restored_and_taken_over(aws_bench):
    aws_bench.put(copy(5, place=OTHERS))
    aws_bench.sink().remove(Removal(PATH, OTHERS), aws_bench.ports)

    held = aws_bench.put(copy(1, replaces=frozenset({OTHERS})))

    assert held.mark == Mark(1, 1, OURS)
    assert aws_bench.stored() == token(1)


def test_somebody_else_s_secret_stays_scheduled_for_deletion(aws_bench, aws):
    aws_bench.write_foreign()
    client = aws.client()
    client.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    client.close()
    aws.clear()

    with aws_bench.failing(PlaceRefused):
        aws_bench.put(copy(1))

    assert aws.calls("RestoreSecret") == 0


def test_a_removed_secret_can_be_restored_for_a_week_or_as_long_as_is_said(aws_bench, aws):
    aws_bench.put(copy(1))
    aws_bench.sink().remove(Removal(PATH, OURS), aws_bench.ports)
    week = asked(aws, "DeleteSecret")
    aws_bench.put(copy(2))

    aws_bench.sink(recovery_window_days=0).remove(Removal(PATH, OURS), aws_bench.ports)

    assert week["RecoveryWindowInDays"] == 7
    assert asked(aws, "DeleteSecret")["ForceDeleteWithoutRecovery"] is True
    assert aws_bench.history() == []


def test_a_name_that_was_taken_in_between_is_looked_at_again(aws_bench):
    with aws_bench.failing(Transient) as taken:
        aws_bench.put_around(copy(1), 2, aws_bench.write_foreign)
    with aws_bench.failing(PlaceRefused):
        aws_bench.put(copy(1))

    assert "name is taken" in str(taken.value)


def test_a_secret_that_went_away_in_between_is_tried_again(aws_bench, aws):
    aws_bench.put(copy(1))
    aws.fault("PutSecretValue", error="ResourceNotFoundException")

    with aws_bench.failing(Transient):
        aws_bench.put(copy(2))


def test_a_place_tag_that_is_no_place_is_somebody_else_s(aws_bench, aws):
    client = aws.client()
    tags = [{"Key": "managed-by", "Value": "keyturn"}, {"Key": "place", "Value": "x"}]
    client.create_secret(Name=NAME, SecretString="foreign", Tags=tags)
    client.close()
    aws.clear()

    with aws_bench.failing(PlaceRefused):
        aws_bench.put(copy(1))


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"aws_account_id": "123456789012"}, "123456789012:us-east-1"),
        ({"auth_data": ROLE}, "210987654321:us-east-1"),
        ({}, "AKIATESTING:us-east-1"),
        ({"auth_data": None}, "ambient:us-east-1"),
    ],
)
def test_the_quota_belongs_to_an_account_and_region(aws_bench, config, key):
    assert aws_bench.sink(**config).quota_key("") == key


def test_the_pace_is_what_aws_publishes(aws_bench):
    pace = aws_bench.sink(timeout=5).pace

    assert (pace.per_second, pace.cost, pace.concurrency, pace.send_limit) == (50, 1, 16, 40)


@pytest.mark.parametrize(
    ("root", "path", "place", "name"),
    [
        (None, "a/b", "a/b", "a/b"),
        (None, "/a/b", "/a/b", "/a/b"),
        ("prod", "/a/b", "a/b", "prod/a/b"),
        ("/prod/", "a", "a", "/prod/a"),
    ],
)
def test_a_name_is_taken_as_it_is(aws_bench, root, path, place, name):
    sink = aws_bench.sink(root_path=root)

    assert sink.place(path) == place
    assert sink._name(place) == name


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "canary"},
        {"region": "us-east-1.canary.example.com"},
        {"kms_arn": "canary"},
        {"aws_account_id": "canary"},
        {"tags": {"place": "canary"}},
        {"tags": {"AWS:x": "canary"}},
        {"tags": {"team": "canary" * 60}},
        {"root_path": "canary path"},
        {"recovery_window_days": 3},
        {"recovery_window_days": 31},
        {"endpoint_url": "canary"},
        {"endpoint_url": "https://canary@amazonaws.com"},
        {"ca_bundle": "canary"},
        {"timeout": 0},
        {"auth_data": {"type": "access-key-based", "access_key_id": "canary"}},
        {"auth_data": {**ROLE, "assumed_role_arn": "canary"}},
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(aws_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        aws_bench.sink(**wrong)

    assert "canary" not in str(refused.value)


def test_another_place_s_version_in_our_secret_is_older_than_ours(aws_bench, aws):
    stranger = UUID(int=9)
    aws_bench.put(copy(1))
    client = aws.client()
    foreign = Mark(9, 9, stranger).version_id()
    client.put_secret_value(SecretId=NAME, SecretString="x", ClientRequestToken=foreign)
    client.close()
    aws.clear()

    held = aws_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert stages(aws)[token(2)] == ["AWSCURRENT"]
