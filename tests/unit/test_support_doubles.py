"""The doubles of outside services, proved with the clients that the product uses."""

import smtplib
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from email.message import EmailMessage
from functools import partial
from http.client import HTTPConnection
from typing import Any

import hvac
import pytest
import requests
import trustme
from botocore.exceptions import ClientError, ConnectionClosedError
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, VaultDown, VaultError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry import FixedValueRetryIntervalCalculator
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from tests.support.aws_double import AwsDouble
from tests.support.http_double import Answer, HttpDouble, Request
from tests.support.mail_double import MailDouble
from tests.support.slack_double import SlackDouble
from tests.support.vault_double import VaultDouble


class Tally(HttpDouble):
    """Counts what was applied to it."""

    def __init__(self, **tls: Any) -> None:
        super().__init__(**tls)
        self.applied = 0

    def answer(self, request: Request) -> Answer:
        self.applied += 1
        return Answer.of({"applied": self.applied, "said": request.body.decode()})


def vault_client(double: VaultDouble, token: str = "", **more: Any) -> hvac.Client:
    return hvac.Client(url=double.url, token=token or double.root_token, **more)


@pytest.fixture
def tally() -> Iterator[Tally]:
    with Tally() as double:
        yield double


@pytest.fixture
def vault() -> Iterator[VaultDouble]:
    with VaultDouble() as double:
        yield double


@pytest.fixture
def client(vault: VaultDouble) -> Iterator[hvac.Client]:
    made = vault_client(vault)
    with closing(made.adapter):
        yield made


@pytest.fixture
def kv(client: hvac.Client) -> Any:
    return client.secrets.kv.v2


@pytest.fixture
def aws() -> Iterator[AwsDouble]:
    with AwsDouble() as double:
        yield double


@pytest.fixture
def secrets(aws: AwsDouble) -> Iterator[Any]:
    with closing(aws.client()) as made:
        made.create_secret(Name="app", SecretString="first")
        yield made


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    with SlackDouble() as double:
        double.allow_token("xoxb-good")
        double.add_channel("C1", name="ops")
        yield double


@pytest.fixture
def bot(slack: SlackDouble) -> WebClient:
    return WebClient("xoxb-good", base_url=slack.api_url)


def letter(*recipients: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "keyturn@example.com", ", ".join(recipients)
    message["Subject"] = "Your key turns"
    message.set_content("Soon.")
    return message


def test_a_request_is_logged_with_its_verb_path_headers_and_body(tally):
    requests.post(f"{tally.url}/a%20b?c=d", data="hello", headers={"X-Kind": "test"}, timeout=5)

    (seen,) = tally.requests
    assert (seen.method, seen.path, seen.query) == ("POST", "/a b", {"c": "d"})
    assert (seen.headers["x-kind"], seen.body) == ("test", b"hello")


def test_a_status_is_answered_without_being_applied_and_only_so_often(tally):
    tally.fault("GET /*", times=2, status=503, headers={"Retry-After": "7"})

    answers = [requests.get(tally.url, timeout=5) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert tally.applied == 1


def test_a_fault_without_end_lasts_until_it_is_cleared(tally):
    tally.fault(lambda request: request.body == b"bad", times=None, body="<b>no</b>", status=502)
    refused = [requests.post(tally.url, data="bad", timeout=5).text for _ in range(3)]

    tally.clear()

    assert refused == ["<b>no</b>"] * 3
    assert requests.post(tally.url, data="bad", timeout=5).json()["applied"] == 1


@pytest.mark.parametrize(("fault", "applied"), [("drop", 0), ("lose_answer", 1)])
def test_a_reset_comes_before_or_after_the_request_was_applied(tally, fault, applied):
    tally.fault("POST *", **{fault: True})

    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        requests.post(tally.url, data="x", timeout=5)

    assert tally.applied == applied


def test_a_hanging_request_holds_up_nobody_and_goes_on_when_released(tally):
    fault = tally.fault("POST *", hang=True)

    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(requests.post, tally.url, data="slow", timeout=30)
        assert fault.arrived.wait(5)
        first = requests.get(tally.url, timeout=5).json()["applied"]
        tally.release()
        second = hanging.result(5).json()["applied"]

    assert (first, second) == (1, 2)


def test_stopping_cuts_off_what_hangs_and_leaves_no_thread():
    before = threading.active_count()
    tally = Tally()
    tally.start()
    fault = tally.fault("POST *", hang=True)

    with ThreadPoolExecutor() as pool:
        hanging = pool.submit(requests.post, tally.url, data="slow", timeout=30)
        assert fault.arrived.wait(5)
        tally.stop()
        error = hanging.exception(5)

    assert isinstance(error, requests.ConnectionError)
    assert (tally.applied, threading.active_count()) == (0, before)


def test_a_delay_outlasts_an_impatient_client(tally):
    tally.fault("GET *", delay=30)

    with pytest.raises(requests.ReadTimeout):
        requests.get(tally.url, timeout=0.05)


def test_a_connection_is_kept_and_an_outage_keeps_port_and_state(tally):
    with closing(HTTPConnection("127.0.0.1", tally.port, timeout=5)) as connection:
        connection.request("GET", "/")
        connection.getresponse().read()
        kept = connection.sock
        connection.request("GET", "/")
        connection.getresponse().read()
        assert connection.sock is kept
    tally.stop()
    with pytest.raises(requests.ConnectionError, match="refused"):
        requests.get(tally.url, timeout=5)

    tally.start()

    assert requests.get(tally.url, timeout=5).json()["applied"] == 3


def test_vault_numbers_versions_and_takes_only_the_expected_one(vault, kv):
    written = kv.create_or_update_secret("app/key", {"token": "1"}, cas=0)
    with pytest.raises(InvalidRequest, match=r"^check-and-set parameter did not match the current"):
        kv.create_or_update_secret("app/key", {"token": "2"}, cas=0)
    kv.create_or_update_secret("app/key", {"token": "2"}, cas=1)

    read = kv.read_secret_version("app/key", raise_on_deleted_version=True)
    assert written["data"].keys() == read["data"]["metadata"].keys()
    assert (read["data"]["data"], read["data"]["metadata"]["version"]) == ({"token": "2"}, 2)
    assert vault.versions("app/key") == [(1, {"token": "1"}), (2, {"token": "2"})]


def test_vault_keeps_ten_versions(vault, kv):
    for number in range(12):
        kv.create_or_update_secret("app/key", {"token": number})

    assert [number for number, _ in vault.versions("app/key")] == list(range(3, 13))
    assert kv.read_secret_metadata("app/key")["data"]["oldest_version"] == 3
    with pytest.raises(InvalidPath):
        kv.read_secret_version("app/key", version=2, raise_on_deleted_version=True)


def test_vault_insists_on_cas_where_the_path_requires_it(kv):
    kv.update_metadata("app/key", cas_required=True)

    with pytest.raises(InvalidRequest, match="check-and-set parameter required for this call"):
        kv.create_or_update_secret("app/key", {"token": "1"})


def test_vault_hides_deleted_versions_until_undeleted_and_destroyed_ones_for_good(vault, kv):
    for token in "123":
        kv.create_or_update_secret("app/key", {"token": token})

    kv.delete_latest_version_of_secret("app/key")
    kv.delete_secret_versions("app/key", [2])
    kv.undelete_secret_versions("app/key", [2])
    kv.destroy_secret_versions("app/key", [1])

    assert vault.versions("app/key") == [(1, None), (2, {"token": "2"}), (3, None)]
    with pytest.raises(InvalidPath) as gone:
        kv.read_secret_version("app/key", raise_on_deleted_version=True)
    assert gone.value.json["data"]["data"] is None
    assert gone.value.json["data"]["metadata"]["deletion_time"]


def test_vault_lists_and_marks_and_removes_paths(vault, kv):
    kv.create_or_update_secret("app/key", {"token": "1"})
    kv.create_or_update_secret("app/deep/key", {"token": "1"})

    kv.update_metadata("app/key", custom_metadata={"owner": "keyturn"})

    assert kv.list_secrets("app")["data"]["keys"] == ["deep/", "key"]
    assert vault.custom_metadata("app/key") == {"owner": "keyturn"}
    assert kv.read_secret_metadata("app/key")["data"]["custom_metadata"] == {"owner": "keyturn"}
    kv.delete_metadata_and_all_versions("app/key")
    with pytest.raises(InvalidPath) as gone:
        kv.read_secret_metadata("app/key")
    assert gone.value.json == {"errors": []}


def test_vault_knows_its_own_mount_only():
    with VaultDouble(mount="team/kv") as vault, closing(vault_client(vault).adapter) as adapter:
        adapter.post("/v1/team/kv/data/app", json={"data": {"token": "1"}})
        with pytest.raises(InvalidPath, match=r'^no handler for route "secret/data/app"'):
            adapter.get("/v1/secret/data/app")
        with pytest.raises(InvalidPath, match="Invalid path for a versioned K/V secrets engine"):
            adapter.get("/v1/team/kv/app")

        assert vault.versions("app") == [(1, {"token": "1"})]


def test_vault_turns_away_missing_unknown_and_expired_tokens(vault, client):
    token = vault.create_token(ttl=60)
    client.token = token
    assert client.auth.token.lookup_self()["data"]["ttl"] in {59, 60}
    now = vault.clock()

    vault.clock = lambda: now + 61

    unknown = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
    for given, words in [(token, unknown), ("hvs.wrong", unknown), (None, "permission denied")]:
        client.token = given
        with pytest.raises(Forbidden) as refused:
            client.secrets.kv.v2.read_secret_metadata("app")
        assert refused.value.errors == [words]


def test_vault_permits_what_the_longest_prefix_of_a_policy_says(vault):
    vault.policies["app"] = {
        "secret/data/app/*": ("create", "read"),
        "secret/data/app/closed": (),
    }
    client = vault_client(vault, vault.create_token(policies=["app"]))
    kv = client.secrets.kv.v2

    with closing(client.adapter):
        kv.create_or_update_secret("app/key", {"token": "1"})
        with pytest.raises(Forbidden) as not_updated:
            kv.create_or_update_secret("app/key", {"token": "2"})
        for path in ("app/closed", "other"):
            with pytest.raises(Forbidden):
                kv.read_secret_version(path, raise_on_deleted_version=True)

    assert not_updated.value.errors == ["1 error occurred:\n\t* permission denied\n\n"]
    assert vault.versions("app/key") == [(1, {"token": "1"})]


def test_vault_gives_approle_tokens_that_are_renewed_and_revoked(vault, client):
    vault.add_approle("role", "pair", ttl=60, num_uses=0)
    with pytest.raises(InvalidRequest, match="invalid role or secret ID"):
        client.auth.approle.login("role", "wrong")

    auth = client.auth.approle.login("role", "pair")["auth"]

    assert (auth["lease_duration"], auth["renewable"]) == (60, True)
    assert client.auth.token.renew_self(increment="120s")["auth"]["lease_duration"] == 120
    client.auth.token.revoke_self()
    client.token = auth["client_token"]
    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()


def test_vault_ends_tokens_by_uses_and_at_once_and_renews_only_the_renewable(vault, client):
    client.token = vault.create_token(num_uses=2, renewable=False)
    with pytest.raises(InvalidRequest, match="lease is not renewable"):
        client.auth.token.renew_self()
    client.auth.token.lookup_self()
    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()
    client.token = vault.create_token()

    vault.expire_tokens()

    with pytest.raises(Forbidden):
        client.auth.token.lookup_self()


def test_vault_keeps_namespaces_apart(vault, kv):
    kv.create_or_update_secret("app", {"token": "outside"})
    inside = vault_client(vault, vault.create_token(namespace="team"), namespace="team")

    with closing(inside.adapter):
        inside.secrets.kv.v2.create_or_update_secret("app", {"token": "inside"})
        inside.adapter.namespace = None
        with pytest.raises(Forbidden):
            inside.secrets.kv.v2.read_secret_metadata("app")

    assert vault.versions("app") == [(1, {"token": "outside"})]
    assert vault.versions("app", "team") == [(1, {"token": "inside"})]


def test_a_sealed_vault_answers_nothing_until_unsealed(client):
    client.sys.seal()

    with pytest.raises(VaultDown, match="Vault is sealed"):
        client.secrets.kv.v2.read_secret_metadata("app")
    assert client.sys.read_health_status(method="GET").status_code == 503
    client.sys.submit_unseal_key("key")
    assert client.sys.read_health_status(method="HEAD").status_code == 200


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (429, "RateLimitExceeded", "rate limit quota exceeded"),
        (500, "InternalServerError", "internal error"),
        (502, "BadGateway", "<html>"),
        (503, "VaultDown", "Vault is sealed"),
    ],
)
def test_vault_fails_in_its_own_words(vault, kv, status, error, words):
    vault.fault("POST /v1/secret/data/*", status=status)

    with pytest.raises(VaultError, match=words) as failed:
        kv.create_or_update_secret("app", {"token": "1"})

    assert type(failed.value).__name__ == error
    assert vault.versions("app") == []


def test_a_vault_write_with_a_lost_answer_is_there(vault, kv):
    vault.fault("POST /v1/secret/data/*", lose_answer=True)

    with pytest.raises(requests.ConnectionError):
        kv.create_or_update_secret("app", {"token": "1"})

    assert vault.versions("app") == [(1, {"token": "1"})]


def test_a_vault_over_tls_is_trusted_by_its_authority_only(tmp_path):
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))

    with VaultDouble(tls=context) as vault:
        client = vault_client(vault, verify=str(tmp_path / "ca.pem"))
        with closing(client.adapter):
            assert client.is_authenticated()
        distrustful = vault_client(vault)
        with closing(distrustful.adapter), pytest.raises(requests.exceptions.SSLError):
            distrustful.is_authenticated()


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


def test_slack_takes_messages_as_json_and_as_a_form(slack, bot):
    posted = bot.chat_postMessage(channel="#ops", text="turned", blocks=[{"type": "divider"}])
    bot.api_call("chat.postMessage", data={"channel": "C1", "text": "again"})

    assert bot.auth_test()["team_id"] == "T0001"
    assert (posted["channel"], posted["message"]["text"]) == ("C1", "turned")
    assert [(channel, it["text"]) for channel, it in slack.messages] == [
        ("C1", "turned"),
        ("C1", "again"),
    ]


@pytest.mark.parametrize(
    ("token", "error"),
    [("xoxb-old", "token_revoked"), ("xoxb-none", "invalid_auth"), ("", "not_authed")],
)
def test_slack_knows_revoked_unknown_and_missing_tokens(slack, token, error):
    slack.allow_token("xoxb-old")
    slack.rotate_token("xoxb-old", "xoxb-new")

    with pytest.raises(SlackApiError) as refused:
        WebClient(token, base_url=slack.api_url).auth_test()

    assert refused.value.response.data == {"ok": False, "error": error}
    assert WebClient("xoxb-new", base_url=slack.api_url).auth_test()["ok"]


@pytest.mark.parametrize(
    ("channel", "text", "error"),
    [
        ("C404", "hello", "channel_not_found"),
        ("C2", "hello", "not_in_channel"),
        ("C3", "hello", "is_archived"),
        ("C1", "", "no_text"),
        ("C1", "x" * 40_001, "msg_too_long"),
    ],
)
def test_slack_refuses_what_cannot_be_posted(slack, bot, channel, text, error):
    slack.add_channel("C2", state="not_in_channel")
    slack.add_channel("C3", state="is_archived")

    with pytest.raises(SlackApiError) as refused:
        bot.api_call("chat.postMessage", json={"channel": channel, "text": text})

    assert (refused.value.response.status_code, refused.value.response["error"]) == (200, error)
    assert slack.messages == []


def test_slack_finds_people_and_writes_to_them(slack, bot):
    slack.add_user("ann@example.com", "U7")
    with pytest.raises(SlackApiError, match="users_not_found"):
        bot.users_lookupByEmail(email="bob@example.com")

    user = bot.users_lookupByEmail(email="ann@example.com")["user"]["id"]
    direct = bot.conversations_open(users=[user])["channel"]["id"]
    bot.chat_postMessage(channel=direct, text="hello")

    assert slack.messages[0][0] == "D7"


def test_slack_names_the_scope_that_is_missing(slack, bot):
    slack.allow_token("xoxb-good", frozenset({"chat:write"}))

    with pytest.raises(SlackApiError) as refused:
        bot.users_lookupByEmail(email="ann@example.com")

    asked = {"needed": "users:read.email", "provided": "chat:write"}
    assert refused.value.response.data == {"ok": False, "error": "missing_scope", **asked}


def test_slack_takes_one_message_per_second_and_channel(slack, bot):
    slack.limit, slack.clock = True, lambda: 100.0
    slack.add_channel("C2")
    bot.chat_postMessage(channel="C1", text="one")
    bot.chat_postMessage(channel="C2", text="one")

    with pytest.raises(SlackApiError, match="ratelimited") as limited:
        bot.chat_postMessage(channel="C1", text="two")
    slack.clock = lambda: 101.0
    bot.chat_postMessage(channel="C1", text="two")

    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "1"
    assert [channel for channel, _ in slack.messages] == ["C1", "C2", "C1"]


def test_slack_out_of_order_shows_a_page(slack, bot):
    slack.fault("POST /api/chat.postMessage", status=503)

    with pytest.raises(SlackApiError) as broken:
        bot.chat_postMessage(channel="C1", text="one")

    assert broken.value.response.status_code == 503
    assert "<html>" in str(broken.value.response.data)


def test_a_slack_post_with_a_lost_answer_is_there_twice_as_the_client_repeats_it(slack, bot):
    slack.fault("POST /api/chat.postMessage", lose_answer=True)
    (default,) = bot.retry_handlers
    default.interval_calculator = FixedValueRetryIntervalCalculator(0)

    bot.chat_postMessage(channel="C1", text="one")

    assert [it["text"] for _, it in slack.messages] == ["one", "one"]


def test_a_slack_webhook_answers_in_plain_words(slack):
    url = slack.add_webhook("T1/B1/secret")
    slack.limit, slack.clock = True, lambda: 100.0
    closed = slack.add_webhook("T1/B1/closed", "action_prohibited")
    archived = slack.add_webhook("T1/B1/archived", "channel_is_archived")

    answers = [WebhookClient(it).send(text="one") for it in (url, closed, archived, url + "x")]

    assert [(answer.status_code, answer.body) for answer in answers] == [
        (200, "ok"),
        (403, "action_prohibited"),
        (410, "channel_is_archived"),
        (404, "no_service"),
    ]
    assert requests.post(url, data="{", timeout=5).text == "invalid_payload"
    assert WebhookClient(url).send(text="two").headers["Retry-After"] == "1"
    assert slack.webhook_messages == [("T1/B1/secret", {"text": "one"})]


def test_mail_arrives_with_its_envelope():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        client.send_message(letter("ann@example.com", "bob@example.com"))

    (received,) = mail.messages
    assert (received.sender, received.encrypted) == ("keyturn@example.com", False)
    assert received.recipients == ["ann@example.com", "bob@example.com"]
    assert received.message["Subject"] == "Your key turns"
    assert received.message.get_content() == "Soon.\n"


@pytest.mark.parametrize("tls", ["starttls", "starttls-required"])
def test_mail_goes_under_starttls_and_without_only_where_that_is_left_open(tls):
    with MailDouble(tls=tls) as mail:
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.ehlo()
            answer = client.docmd("MAIL", "FROM:<a@example.com>")
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.starttls(context=ssl.create_default_context(cadata=mail.ca_pem))
            client.send_message(letter("ann@example.com"))

    refused = (530, b"Must issue a STARTTLS command first")
    assert answer == (refused if tls == "starttls-required" else (250, b"OK"))
    assert mail.messages[0].encrypted


def test_mail_over_implicit_tls_wants_a_client_that_trusts_it():
    with MailDouble(tls="implicit", credentials=("keyturn", "pw")) as mail:
        trusting = ssl.create_default_context(cadata=mail.ca_pem)
        with smtplib.SMTP_SSL(mail.host, mail.port, timeout=5, context=trusting) as client:
            client.login("keyturn", "pw")
            client.send_message(letter("ann@example.com"))
        with pytest.raises(ssl.SSLCertVerificationError):
            smtplib.SMTP_SSL(mail.host, mail.port, timeout=5, context=ssl.create_default_context())

    assert (mail.messages[0].encrypted, mail.messages[0].login) == (True, "keyturn")


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_mail_behind_a_login_takes_nothing_before_it(tls):
    with (
        MailDouble(tls=tls, credentials=("keyturn", "pw")) as mail,
        smtplib.SMTP(mail.host, mail.port, timeout=5) as client,
    ):
        if tls == "starttls":
            client.ehlo()
            assert not client.has_extn("auth")
            client.starttls(context=ssl.create_default_context(cadata=mail.ca_pem))
        with pytest.raises(smtplib.SMTPSenderRefused, match="Authentication required"):
            client.send_message(letter("ann@example.com"))
        with pytest.raises(smtplib.SMTPAuthenticationError, match="535"):
            client.login("keyturn", "wrong")
        client.login("keyturn", "pw")
        client.send_message(letter("ann@example.com"))

    assert [received.login for received in mail.messages] == ["keyturn"]


def test_mail_bounces_one_recipient_and_greylists_another_for_a_while():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        mail.bounce("gone@example.com")
        mail.greylist("ann@example.com", times=2)

        refused = client.send_message(letter("gone@example.com", "bob@example.com"))
        codes = []
        for _ in range(2):
            with pytest.raises(smtplib.SMTPRecipientsRefused) as later:
                client.send_message(letter("ann@example.com"))
            codes.append(later.value.recipients["ann@example.com"][0])
        client.send_message(letter("ann@example.com"))

    assert refused["gone@example.com"][0] == 550
    assert codes == [451, 451]
    assert [it.recipients for it in mail.messages] == [["bob@example.com"], ["ann@example.com"]]


def test_mail_refused_after_its_text_is_not_kept():
    with MailDouble() as mail, smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
        mail.refuse_data(times=1)

        with pytest.raises(smtplib.SMTPDataError, match="452"):
            client.send_message(letter("ann@example.com"))
        mail.refuse_data("421 4.3.2 Closing")
        with pytest.raises(smtplib.SMTPDataError, match="421"):
            client.send_message(letter("ann@example.com"))

    assert mail.messages == []


@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_mail_with_a_lost_answer_is_there_and_one_met_with_silence_is_not(tls):
    with MailDouble(tls=tls) as mail:
        trusting = ssl.create_default_context(cadata=mail.ca_pem)
        mail.lose_answer()
        mail.hang()
        for words, limit in [("unexpectedly closed", 5), ("timed out", 0.1)]:
            with closing(smtplib.SMTP(mail.host, mail.port, timeout=5)) as client:
                if tls == "starttls":
                    client.starttls(context=trusting)
                client.sock.settimeout(limit)
                with pytest.raises(smtplib.SMTPServerDisconnected, match=words):
                    client.sendmail("a@example.com", ["ann@example.com"], b"Subject: x\r\n\r\nx")

    assert [received.recipients for received in mail.messages] == [["ann@example.com"]]


def test_mail_after_an_outage_has_its_port_and_its_messages():
    with MailDouble() as mail:
        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.send_message(letter("ann@example.com"))
            mail.stop()
            with pytest.raises(smtplib.SMTPServerDisconnected):
                client.noop()
            client.close()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP(mail.host, mail.port, timeout=5)

        mail.start()

        with smtplib.SMTP(mail.host, mail.port, timeout=5) as client:
            client.send_message(letter("bob@example.com"))

    assert [it.recipients for it in mail.messages] == [["ann@example.com"], ["bob@example.com"]]
