"""What only the AWS Parameter Store sink does."""

import json

import pytest
from pydantic import ValidationError
from truefoundry_sdk.types import AwsParameterStore

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from sinks.aws.parameter_store import ParameterStoreSink
from sinks.base import Removal
from tests.conformance.aws_bench import ParameterStoreBench
from tests.conformance.sink_bench import CANARY, OTHERS, OURS, PATH, copy, token
from tests.support.aws_double import AwsDouble, operation
from tests.support.http_double import Answer
from tests.support.lending import lent

NAME = f"/keyturn/{PATH}"


@pytest.fixture
def aws(parameter_bench: ParameterStoreBench) -> AwsDouble:
    return parameter_bench.double


def asked(aws: AwsDouble, named: str) -> dict[str, object]:
    """What the last call of this operation carried."""
    return [it for it in aws.requests if operation(it) == named][-1].json()


def called(aws: AwsDouble) -> list[str]:
    return [operation(it) for it in aws.requests]


def as_somebody_else(aws: AwsDouble, **what: object) -> None:
    """Puts the parameter beside Keyturn; the log of calls starts anew."""
    client = aws.client("ssm")
    client.put_parameter(Name=NAME, Value="foreign", **what)
    client.close()
    aws.clear()


def test_the_fields_are_those_of_the_public_sdk_and_a_few_of_our_own():
    theirs = set(AwsParameterStore.model_fields) - {"type", "name", "authorized_subjects"}
    inherited = {"aws_account_id"}
    ours = {"root_path", "endpoint_url", "ca_bundle", "timeout", "on_drift"}

    assert set(ParameterStoreSink.model_fields) == theirs | inherited | ours


def test_a_new_parameter_is_the_bare_token_with_its_mark_tags_and_key(parameter_bench, aws):
    key = "arn:aws:kms:us-east-1:123456789012:key/0192"

    held = parameter_bench.put(copy(3), kms_arn=key, tags={"team": "ops", "cost-centre": 7})

    sent = asked(aws, "PutParameter")
    assert (sent["Name"], sent["Value"], sent["Type"]) == (NAME, token(3), "SecureString")
    assert (sent["KeyId"], held.version) == (key, "1")
    assert json.loads(sent["Description"]) == {
        "managed-by": "keyturn",
        "place": str(OURS),
        "epoch": "1",
        "revision": "3",
        "account": "ci",
        "generation": "3",
        "version": "1",
    }
    assert {it["Key"]: it["Value"] for it in sent["Tags"]} == {
        "team": "ops",
        "cost-centre": "7",
        "managed-by": "keyturn",
        "place": str(OURS),
        "account": "ci",
    }


def test_an_update_is_one_write_and_asks_for_no_decrypted_value(parameter_bench, aws):
    parameter_bench.put(copy(1))
    aws.clear()

    parameter_bench.put(copy(2))

    assert called(aws) == ["GetParameterHistory", "PutParameter", "GetParameter"]
    assert not any(it.json().get("WithDecryption") for it in aws.requests)


def test_a_repeat_only_reads(parameter_bench, aws):
    parameter_bench.put(copy(1))
    aws.clear()

    parameter_bench.put(copy(1))

    assert called(aws) == ["GetParameterHistory"]


def test_the_newest_of_very_many_versions_is_found(parameter_bench, aws):
    for revision in range(1, 54):
        parameter_bench.put(copy(revision))
    aws.clear()

    held = parameter_bench.put(copy(53))

    assert (held.mark, held.version) == (Mark(1, 53, OURS), "53")
    assert called(aws) == ["GetParameterHistory", "GetParameterHistory"]


def test_a_value_written_over_ours_reads_as_revision_0(parameter_bench):
    parameter_bench.put(copy(1))
    parameter_bench.write_foreign()

    held = parameter_bench.sink().read(PATH, parameter_bench.ports)

    assert (held.mark, held.version) == (Mark(0, 0, OURS), "2")


def test_our_parameter_with_somebody_else_s_description_is_ours_by_its_tags(parameter_bench, aws):
    parameter_bench.put(copy(1))
    as_somebody_else(aws, Overwrite=True, Description="edited")

    held = parameter_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert parameter_bench.stored() == token(2)


def test_a_late_older_write_is_found_and_put_right(parameter_bench):
    parameter_bench.put(copy(1))
    sink = parameter_bench.sink()
    late = sink._parameter(PATH, parameter_bench.ports)
    before = late.describe()
    parameter_bench.put(copy(3))

    late.put(copy(2), after=before, kms_key=None)
    covered = sink.read(PATH, parameter_bench.ports)
    parameter_bench.put(copy(3))

    assert covered.mark == Mark(0, 0, OURS)
    assert parameter_bench.stored() == token(3)


@pytest.mark.parametrize("call", [2, 3])
def test_a_write_that_another_came_between_is_not_confirmed(parameter_bench, call):
    parameter_bench.put(copy(1))

    with parameter_bench.failing(Transient):
        parameter_bench.put_around(copy(2), call, parameter_bench.write_foreign)
    held = parameter_bench.put(copy(2))

    assert held.mark == Mark(1, 2, OURS)
    assert parameter_bench.stored() == token(2)


def test_a_newer_revision_that_came_between_is_what_is_answered(parameter_bench):
    parameter_bench.put(copy(1))

    held = parameter_bench.put_around(copy(2), 3, lambda: parameter_bench.put(copy(3)))

    assert held.mark == Mark(1, 3, OURS)


def test_a_name_that_was_taken_in_between_is_looked_at_again(parameter_bench):
    with parameter_bench.failing(Transient) as taken:
        parameter_bench.put_around(copy(1), 2, parameter_bench.write_foreign)
    with parameter_bench.failing(PlaceRefused):
        parameter_bench.put(copy(1))

    assert "name was taken" in str(taken.value)


def test_a_parameter_that_went_away_in_between_is_tried_again(parameter_bench, aws):
    aws.fault("GetParameter", error="ParameterNotFound")

    with parameter_bench.failing(Transient) as gone:
        parameter_bench.put(copy(1))
    parameter_bench.put(copy(1))

    assert "went away" in str(gone.value)
    assert len(parameter_bench.history()) == 1


def test_a_parameter_that_goes_away_while_it_is_removed_is_removed(parameter_bench, aws):
    parameter_bench.put(copy(1))
    aws.fault("DeleteParameter", error="ParameterNotFound")

    parameter_bench.sink().remove(Removal(PATH, OURS), parameter_bench.ports)


def test_a_plain_parameter_is_not_adopted_and_stays_as_it_is(parameter_bench, aws):
    as_somebody_else(aws, Type="String", Description="[1]")

    with parameter_bench.failing(PlaceRefused) as refused:
        parameter_bench.put(copy(1, adopt=True))

    assert "no SecureString" in str(refused.value)
    assert not {"AddTagsToResource", "PutParameter"} & set(called(aws))


def test_an_adopted_parameter_keeps_its_key_unless_the_integration_has_one(parameter_bench, aws):
    as_somebody_else(aws, Type="SecureString", KeyId="alias/theirs")

    parameter_bench.put(copy(1, adopt=True))
    kept = asked(aws, "PutParameter")["KeyId"]
    ours = "arn:aws:kms:us-east-1:123456789012:alias/ours"
    parameter_bench.put(copy(2), kms_arn=ours)

    assert (kept, asked(aws, "PutParameter")["KeyId"]) == ("alias/theirs", ours)


def test_a_take_over_is_not_undone_by_a_late_removal(parameter_bench):
    parameter_bench.put(copy(7, place=OTHERS))
    parameter_bench.put(copy(1, replaces=frozenset({OTHERS})))

    parameter_bench.sink().remove(Removal(PATH, OTHERS), parameter_bench.ports)

    assert parameter_bench.stored() == token(1)


@pytest.mark.parametrize(("size", "tier"), [(4096, None), (4097, "Advanced"), (8192, "Advanced")])
def test_a_long_value_makes_an_advanced_parameter(parameter_bench, aws, size, tier):
    parameter_bench.put(copy(1, token=CANARY.ljust(size, "x")))

    assert asked(aws, "PutParameter").get("Tier") == tier


def test_facts_too_long_for_a_description_are_left_out(parameter_bench):
    long = copy(1)
    long.facts["account"] = "a" * 40
    long.facts["note"] = "x" * 1000

    held = parameter_bench.put(long)

    assert held.mark == Mark(1, 1, OURS)
    assert parameter_bench.sink().read(PATH, parameter_bench.ports) == held


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        ("TooManyUpdates", Transient, "throttles"),
        ("InvalidKeyId", DestinationRefused, "KMS key"),
        ("ParameterLimitExceeded", PlaceRefused, "as many parameters"),
        ("ParameterMaxVersionLimitExceeded", PlaceRefused, "move the label"),
        ("ParameterPatternMismatchException", PlaceRefused, "allowed pattern"),
        ("AccessDeniedException", PlaceRefused, "call PutParameter here"),
    ],
)
def test_an_error_is_understood_by_its_code_and_never_quoted(
    parameter_bench, aws, code, kind, says
):
    aws.fault("PutParameter", error=code, message=f"no {CANARY}", status=400)

    with parameter_bench.failing(kind) as refused:
        parameter_bench.put(copy(1))

    assert says in str(refused.value)
    assert CANARY not in "".join(parameter_bench.said)


@pytest.mark.parametrize(
    ("named", "answer"),
    [
        ("GetParameterHistory", {"Parameters": [{}]}),
        ("PutParameter", {}),
        ("GetParameter", {"Parameter": "x"}),
    ],
)
def test_an_endpoint_that_is_no_parameter_store_is_understood(parameter_bench, aws, named, answer):
    aws.fault(named, error="x").answer = lambda _: Answer.of(answer)

    with parameter_bench.failing(DestinationRefused) as refused:
        parameter_bench.put(copy(1))

    assert "does not answer as" in str(refused.value)


@pytest.mark.parametrize(
    ("root", "path", "place", "name"),
    [
        (None, "a/b", "a/b", "/a/b"),
        (None, "/a//b/", "a/b", "/a/b"),
        ("/prod/", "a", "a", "/prod/a"),
        ("prod/eu", "aws", "aws", "/prod/eu/aws"),
    ],
)
def test_a_name_has_one_spelling(parameter_bench, root, path, place, name):
    sink = parameter_bench.sink(root_path=root)

    assert sink.place(path) == place
    assert sink._name(place) == name


@pytest.mark.parametrize("path", ["aws/x", "AWSome", "ssm", "/ssm/x"])
def test_names_that_are_aws_s_own_are_refused(parameter_bench, path):
    with parameter_bench.failing(PlaceRefused):
        parameter_bench.sink(root_path=None).place(path)


@pytest.mark.parametrize(
    ("endpoint", "sts"),
    [
        ("https://vpce-1.ssm.us-east-1.vpce.amazonaws.com", None),
        ("https://ssm-fips.us-east-1.amazonaws.com", None),
        ("https://assm.example.com", "https://assm.example.com"),
    ],
)
def test_an_endpoint_of_parameter_store_is_not_asked_for_credentials(
    parameter_bench, endpoint, sts
):
    sink = parameter_bench.sink(endpoint_url=endpoint)
    sink._parameter(PATH, lent())

    assert sink._identity._endpoint_of("sts") == sts
    assert sink._identity._endpoint_of("ssm") == endpoint


def test_the_pace_is_the_default_throughput_of_an_account_and_region(parameter_bench):
    sink = parameter_bench.sink(aws_account_id="123456789012", timeout=5)

    assert (sink.pace.per_second, sink.pace.cost, sink.pace.send_limit) == (3, 1, 40)
    assert sink.quota_key("") == "123456789012:us-east-1"


def test_the_check_tells_the_account_and_whether_it_is_the_right_one(parameter_bench):
    said = parameter_bench.sink().check(parameter_bench.ports)
    with parameter_bench.failing(DestinationRefused):
        parameter_bench.sink(aws_account_id="210987654321").check(parameter_bench.ports)

    assert said == "Parameter Store answers in us-east-1; the AWS account is 123456789012."


@pytest.mark.parametrize(
    "wrong",
    [
        {"region": "canary"},
        {"kms_arn": "canary"},
        {"tags": {"place": "canary"}},
        {"root_path": "canary path"},
        {"root_path": "canary:1"},
        {"endpoint_url": "canary"},
        {"timeout": 0},
    ],
)
def test_a_wrong_configuration_is_refused_without_quoting_it(parameter_bench, wrong):
    with pytest.raises(ValidationError) as refused:
        parameter_bench.sink(**wrong)

    assert "canary" not in str(refused.value)
