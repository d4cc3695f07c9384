"""The AWS double, proved with boto3's client."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from tests.support.aws_double import AwsDouble


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        yield double


@pytest.fixture
def secrets(aws: AwsDouble) -> Iterator[Any]:
    with closing(aws.client()) as made:
        made.create_secret(Name="app", SecretString="first")
        yield made


def test_aws_makes_one_version_of_a_token_sent_twice_and_refuses_another_value(aws, secrets):
    token = "t" * 32
    for _ in range(2):
        secrets.put_secret_value(SecretId="app", SecretString="second", ClientRequestToken=token)

    with pytest.raises(secrets.exceptions.ResourceExistsException):
        secrets.put_secret_value(SecretId="app", SecretString="third", ClientRequestToken=token)

    first, second = aws.versions("app")
    assert (first["stages"], first["value"]) == (["AWSPREVIOUS"], "first")
    assert second == {"VersionId": token, "stages": ["AWSCURRENT"], "value": "second"}
    assert aws.calls("PutSecretValue") == 3


@pytest.mark.parametrize(
    ("error", "status"),
    [("AccessDeniedException", 400), ("ThrottlingException", 400), ("InternalServiceError", 500)],
)
def test_aws_refuses_in_its_json_shape_and_applies_nothing(aws, secrets, error, status):
    aws.fault("PutSecretValue", error=error)

    with pytest.raises(ClientError) as refused:
        secrets.put_secret_value(SecretId="app", SecretString="second")

    assert refused.value.response["Error"]["Code"] == error
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert [version["value"] for version in aws.versions("app")] == ["first"]


def test_aws_says_who_calls_and_refuses_in_the_shape_of_sts(aws):
    aws.fault("GetCallerIdentity", error="AccessDenied", message="no")

    with closing(aws.client("sts")) as sts:
        with pytest.raises(ClientError, match=r"\(AccessDenied\).*: no$"):
            sts.get_caller_identity()
        assert sts.get_caller_identity()["Account"] == "123456789012"


@pytest.mark.parametrize("fault", ["lose_answer", "drop"])
def test_aws_has_one_version_when_the_client_repeats_a_call_with_its_token(aws, secrets, fault):
    aws.fault("PutSecretValue", **{fault: True})

    with closing(aws.client(attempts=2)) as repeating:
        made = repeating.put_secret_value(SecretId="app", SecretString="second")

    assert aws.calls("PutSecretValue") == 2
    assert [version["VersionId"] for version in aws.versions("app")[1:]] == [made["VersionId"]]


@pytest.mark.parametrize(("fault", "values"), [("lose_answer", 2), ("drop", 1)])
def test_aws_resets_before_or_after_applying(aws, secrets, fault, values):
    aws.fault("PutSecretValue", **{fault: True})

    with pytest.raises(ConnectionClosedError):
        secrets.put_secret_value(SecretId="app", SecretString="second")

    assert len(aws.versions("app")) == values


def test_aws_hangs_until_released_and_its_end_cuts_off_the_late(aws, secrets):
    hanging = aws.fault("PutSecretValue", hang=True)
    late = aws.fault("PutSecretValue", delay=30)

    with ThreadPoolExecutor() as pool:
        put = partial(secrets.put_secret_value, SecretId="app", SecretString="second")
        released = pool.submit(put)
        assert hanging.arrived.wait(5)
        assert secrets.describe_secret(SecretId="app")["Name"] == "app"
        aws.release()
        assert released.result(5)["VersionStages"] == ["AWSCURRENT"]
        cut_off = pool.submit(put)
        assert late.arrived.wait(5)
        aws.stop()
        assert isinstance(cut_off.exception(5), ConnectionClosedError)

    assert len(aws.versions("app")) == 2


def test_aws_takes_65536_bytes_and_not_one_more(aws, secrets):
    largest = "€" * 21_845 + "x"
    secrets.put_secret_value(SecretId="app", SecretString=largest)

    for value in ({"SecretString": largest + "x"}, {"SecretBinary": b"x" * 65_537}):
        with pytest.raises(ClientError, match="less than or equal to 65536") as refused:
            secrets.put_secret_value(SecretId="app", **value)
        assert refused.value.response["Error"]["Code"] == "ValidationException"

    assert aws.versions("app")[-1]["value"] == largest


def test_aws_keeps_a_secret_scheduled_for_deletion_closed_until_restored(aws, secrets):
    secrets.delete_secret(SecretId="app", RecoveryWindowInDays=7)

    with pytest.raises(secrets.exceptions.InvalidRequestException, match="marked for deletion"):
        secrets.put_secret_value(SecretId="app", SecretString="second")
    with pytest.raises(secrets.exceptions.InvalidRequestException, match="already scheduled"):
        secrets.create_secret(Name="app", SecretString="second")
    secrets.restore_secret(SecretId="app")
    secrets.put_secret_value(SecretId="app", SecretString="second")

    assert [version["value"] for version in aws.versions("app")] == ["first", "second"]


def test_aws_has_one_current_version_after_labels_were_moved(aws, secrets):
    pending = {"SecretString": "second", "VersionStages": ["AWSPENDING"]}
    (first,) = aws.versions("app")
    second = secrets.put_secret_value(SecretId="app", **pending)["VersionId"]
    moved = {"MoveToVersionId": second, "RemoveFromVersionId": first["VersionId"]}
    secrets.update_secret_version_stage(SecretId="app", VersionStage="AWSCURRENT", **moved)

    secrets.put_secret_value(SecretId="app", SecretString="third")

    current = [it["value"] for it in aws.versions("app") if "AWSCURRENT" in it["stages"]]
    assert current == ["third"]


def test_aws_accounts_are_apart_and_one_is_emptied_alone(aws, secrets):
    with AwsDouble(account_id="210987654321") as other:
        with closing(other.client()) as made:
            with pytest.raises(made.exceptions.ResourceNotFoundException) as missing:
                made.get_secret_value(SecretId="app")
            made.create_secret(Name="app", SecretString="elsewhere")

        aws.reset()

        assert missing.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert (aws.versions("app"), aws.calls("CreateSecret")) == ([], 0)
        assert other.versions("app")[0]["value"] == "elsewhere"
