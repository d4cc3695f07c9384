"""In whose name the AWS sink calls, and how it understands what it is told."""

import ssl
from pathlib import Path

import pytest
import trustme

from core.errors import DestinationRefused, KeyturnError, Misconfigured, PlaceRefused, Transient
from sinks.aws import wire as aws_wire
from sinks.aws.secrets_manager import SecretsManagerSink
from tests.conformance.sink_bench import CANARY, PATH, copy
from tests.support.aws_double import AwsDouble, operation
from tests.support.http_double import Answer, HttpDouble, Request
from tests.support.lending import lent
from tests.support.manual_clock import ManualClock

ROLE = {
    "type": "assumed-role-based",
    "assumed_role_arn": "arn:aws:iam::210987654321:role/keyturn",
    "external_id": "tenant-7",
}
AMBIENT = lent(ambient_credentials=True)


class Anything(HttpDouble):
    """Answers every call with this."""

    def __init__(self, answer: Answer, **tls: ssl.SSLContext) -> None:
        super().__init__(**tls)
        self.said = answer

    def answer(self, _: Request) -> Answer:
        return self.said


def asked(aws: AwsDouble, named: str) -> dict[str, object]:
    """What the last call of this operation carried."""
    last = [it for it in aws.requests if operation(it) == named][-1]
    return last.json() if last.headers["X-Amz-Target"] else last.form()


@pytest.mark.parametrize("auth", [None, ROLE])
def test_the_host_s_identity_is_not_lent_unless_the_operator_says_so(aws_bench, aws, auth):
    with aws_bench.failing(Misconfigured) as refused:
        aws_bench.put(copy(1), auth_data=auth)

    assert "KEYTURN_AMBIENT_CREDENTIALS" in str(refused.value)
    assert aws.requests == []


def test_the_host_s_identity_is_used_where_it_is_lent(aws_bench, aws):
    aws_bench.ports = AMBIENT

    aws_bench.put(copy(1), auth_data=None)

    assert "AKIAHOST" in aws.requests[-1].headers["Authorization"]


def test_a_role_is_assumed_in_the_host_s_name_with_its_external_id(aws_bench, aws):
    aws_bench.ports = AMBIENT

    aws_bench.put(copy(1), auth_data=ROLE)

    sent = asked(aws, "AssumeRole")
    assert (sent["RoleArn"], sent["ExternalId"]) == (ROLE["assumed_role_arn"], "tenant-7")
    assert (sent["RoleSessionName"], sent["DurationSeconds"]) == ("keyturn", "3600")
    assert "AKIAHOST" in aws.requests[0].headers["Authorization"]
    assert "AKIAHOST" not in aws.requests[-1].headers["Authorization"]


def test_a_role_without_external_id_is_assumed_without(aws_bench, aws):
    aws_bench.ports = AMBIENT

    aws_bench.put(copy(1), auth_data={**ROLE, "external_id": None})

    assert "ExternalId" not in asked(aws, "AssumeRole")


def test_a_role_is_assumed_anew_when_two_thirds_of_its_hour_are_over(aws_bench):
    clock = ManualClock()
    ports = lent(clock=clock, ambient_credentials=True)
    sink = aws_bench.sink(auth_data=ROLE)

    sink.put(copy(1), ports)
    clock.pass_(seconds=2399)
    sink.put(copy(2), ports)
    early = aws_bench.logins()
    clock.pass_(seconds=2)
    sink.put(copy(3), ports)

    assert (early, aws_bench.logins()) == (1, 2)


def test_a_role_that_may_not_be_assumed_is_the_destination_s_problem(aws_bench, aws):
    aws_bench.ports = AMBIENT
    aws.fault("AssumeRole", error="AccessDenied", message=CANARY)

    with aws_bench.failing(DestinationRefused) as refused:
        aws_bench.put(copy(1), auth_data=ROLE)

    assert "assume the role" in str(refused.value)


def test_who_waits_for_another_s_credentials_too_long_is_tried_again(aws_bench):
    sink = aws_bench.sink(timeout=0.1)
    sink._secret(PATH, aws_bench.ports)

    with sink._identity._lock, aws_bench.failing(Transient) as waited:
        sink.put(copy(1), aws_bench.ports)

    assert "asking AWS" in str(waited.value)


def test_keys_that_have_expired_are_the_destination_s_problem(aws_bench, aws):
    aws.fault("DescribeSecret", error="ExpiredTokenException")

    with aws_bench.failing(DestinationRefused):
        aws_bench.put(copy(1))


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ThrottlingException", Transient),
        ("TooManyRequestsException", Transient),
        ("InternalServiceError", Transient),
        ("ServiceUnavailableException", Transient),
        ("AccessDeniedException", PlaceRefused),
        ("InvalidParameterException", PlaceRefused),
        ("LimitExceededException", PlaceRefused),
        ("canary", PlaceRefused),
        ("InvalidClientTokenId", DestinationRefused),
        ("SignatureDoesNotMatch", DestinationRefused),
        ("UnrecognizedClientException", DestinationRefused),
        ("DecryptionFailure", DestinationRefused),
        ("EncryptionFailure", DestinationRefused),
    ],
)
def test_an_error_is_understood_by_its_code_and_never_quoted(aws_bench, aws, code, kind):
    aws.fault("PutSecretValue", error=code, message=f"no {CANARY}", status=400)
    aws_bench.put(copy(1))

    with aws_bench.failing(kind):
        aws_bench.put(copy(2))

    assert CANARY not in "".join(aws_bench.said)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer.of(f"<b>{CANARY}</b>", 502, "text/html"), Transient),
        (Answer(429, b"", {"Retry-After": "9"}), Transient),
        (Answer.of(f"<b>{CANARY}</b>", 200, "text/html"), DestinationRefused),
        (Answer.of(f"<b>{CANARY}</b>", 404, "text/html"), DestinationRefused),
        (Answer(307, b"", {"Location": "http://127.0.0.1:1/"}), DestinationRefused),
    ],
)
def test_an_endpoint_that_is_not_aws_is_understood_and_never_quoted(aws_bench, answer, kind):
    with Anything(answer) as other:
        with aws_bench.failing(kind):
            aws_bench.put(copy(1), endpoint_url=other.url)
        with aws_bench.failing(KeyturnError):
            aws_bench.sink(endpoint_url=other.url).check(aws_bench.ports)

    assert CANARY not in "".join(aws_bench.said)


def test_an_endpoint_that_nobody_serves_is_tried_again(aws_bench, aws):
    with AwsDouble() as other:
        gone = other.endpoint_url

    with aws_bench.failing(Transient) as refused:
        aws_bench.put(copy(1), endpoint_url=gone)

    assert "EndpointConnectionError" in str(refused.value)


def test_a_private_authority_is_trusted_if_it_is_given_and_its_file_goes_with_the_sink(aws_bench):
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    bundle = authority.cert_pem.bytes().decode()
    with Anything(Answer.of({}), tls=context) as other:
        trusting = aws_bench.sink(endpoint_url=other.url, ca_bundle=bundle)

        with aws_bench.failing(DestinationRefused) as trusted:
            trusting.put(copy(1), aws_bench.ports)
        with aws_bench.failing(DestinationRefused) as untrusted:
            aws_bench.put(copy(1), endpoint_url=other.url)
    file = Path(trusting._identity._trust.path)
    mode = file.stat().st_mode & 0o777
    trusting.close()

    assert "as Secrets Manager would" in str(trusted.value)
    assert "ca_bundle" in str(untrusted.value)
    assert (mode, file.exists()) == (0o600, False)


@pytest.mark.parametrize(
    ("endpoint", "sts"),
    [
        (None, None),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://vpce-1.secretsmanager.us-east-1.vpce.amazonaws.com", None),
        ("https://secretsmanager-fips.us-east-1.amazonaws.com", None),
    ],
)
def test_an_endpoint_of_secrets_manager_is_not_asked_for_credentials(aws_bench, endpoint, sts):
    sink = aws_bench.sink(endpoint_url=endpoint)
    sink._secret(PATH, aws_bench.ports)

    assert sink._identity._endpoint_of("sts") == sts
    assert sink._identity._endpoint_of("secretsmanager") == endpoint


def test_all_sinks_share_one_session(aws_bench):
    aws_bench.put(copy(1))
    aws_bench.put(copy(1, path="other"))

    assert aws_wire._host.cache_info().misses == 1


def test_the_check_tells_the_account_and_whether_it_is_the_right_one(aws_bench):
    right = aws_bench.sink(aws_account_id="123456789012").check(aws_bench.ports)
    unsaid = aws_bench.sink().check(aws_bench.ports)
    with aws_bench.failing(DestinationRefused) as wrong:
        aws_bench.sink(aws_account_id="210987654321").check(aws_bench.ports)

    start = "Secrets Manager answers in us-east-1; the AWS account is 123456789012"
    assert (right, unsaid) == (f"{start} as the integration says.", f"{start}.")
    assert "123456789012, not to 210987654321" in str(wrong.value)


def test_the_hosts_own_identity_is_shown_to_aws_only() -> None:
    sink = SecretsManagerSink(region="us-east-1", endpoint_url="https://aws.attacker.example")

    with pytest.raises(Misconfigured, match="shown to AWS only"):
        sink.read("app/key", lent(ambient_credentials=True))
