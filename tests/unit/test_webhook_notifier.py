"""The signed webhook: what it posts, and that the standard's own library takes its signatures."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from standardwebhooks import Webhook, WebhookVerificationError

from core.errors import DestinationRefused
from core.events import SEVERITY, EventType
from notifiers.base import Notice
from notifiers.webhook import WebhookNotifier
from notifiers.webhook_payload import payload
from tests.conformance.webhook_bench import secret_of
from tests.support.lending import lent
from tests.support.webhook_double import WebhookDouble

PORTS = lent()
OLD, NEW, OTHER = (secret_of(name) for name in ("old", "new", "other"))
TOKEN = "tfy_vat_CANARY7Canary7Canary7Canary7Canary7Canary7Canary"
NOTICE = Notice(
    UUID("0195a1b2-0000-7000-8000-00000000cafe"),
    EventType.SYNC_FAILED,
    SEVERITY[EventType.SYNC_FAILED],
    datetime(2026, 3, 2, 9, 0, tzinfo=UTC),
    "acme",
    {
        "account": "ci-bot",
        "integration": "acme:hashicorp:main:secret-store:vault",
        "cause": "written",
        "path": "prod/ci-bot",
        "generation": 4,
        "error": "403 permission denied",
        "will_retry": False,
    },
    "https://keyturn.example.com/accounts/0195a1b2-0000-7000-8000-000000000001",
)


@pytest.fixture
def receiver() -> Iterator[WebhookDouble]:
    with WebhookDouble(OLD, "CANARY") as double:
        yield double


def hook(receiver: WebhookDouble, signing_secret: str = OLD, **auth: Any) -> WebhookNotifier:
    given_ = {"webhook_url": receiver.webhook_url, "signing_secret": signing_secret, **auth}
    return WebhookNotifier.model_validate({"auth_data": given_})


def test_the_standards_own_library_takes_the_signature(receiver):
    hook(receiver).send(NOTICE, "", PORTS)

    (request,) = receiver.requests
    told = Webhook(OLD).verify(request.body, dict(request.headers.items()))
    assert told == payload(NOTICE)
    assert request.headers["webhook-id"] == str(NOTICE.key)
    assert request.headers["Content-Type"] == "application/json"
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(request.body, dict(request.headers.items()))


def test_a_changed_body_or_id_breaks_the_signature(receiver):
    hook(receiver).send(NOTICE, "", PORTS)
    (request,) = receiver.requests
    headers = dict(request.headers.items())

    for body, changed in (
        (request.body.replace(b"ci-bot", b"ci-bat"), headers),
        (request.body, {**headers, "webhook-id": "another"}),
        (
            request.body,
            {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 1)},
        ),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(OLD).verify(body, changed)


def test_while_a_secret_is_rotated_both_sign(receiver):
    rotating = hook(receiver, NEW, previous_signing_secret=OLD)

    rotating.send(NOTICE, "", PORTS)
    receiver.secrets = [NEW]
    rotating.send(NOTICE, "", PORTS)
    hook(receiver, NEW).send(NOTICE, "", PORTS)

    assert [len(it.signatures) for it in receiver.received] == [2, 2, 1]
    both = receiver.received[0].signatures
    assert len(set(both)) == 2
    assert all(signature.startswith("v1,") for signature in both)
    with pytest.raises(DestinationRefused, match="401"):
        hook(receiver, OLD).send(NOTICE, "", PORTS)


def test_the_timestamp_is_that_of_the_attempt_and_the_body_has_that_of_the_fact(receiver):
    before = datetime.now(UTC) - timedelta(seconds=1)

    hook(receiver).send(NOTICE, "", PORTS)

    stamped = datetime.fromtimestamp(int(receiver.requests[0].headers["webhook-timestamp"]), UTC)
    assert before <= stamped <= datetime.now(UTC)
    assert receiver.received[0].data["timestamp"] == "2026-03-02T09:00:00Z"


def test_a_moment_in_another_zone_is_told_in_utc():
    berlin = timezone(timedelta(hours=1))
    told = Notice(**{**vars(NOTICE), "at": datetime(2026, 3, 2, 10, 0, 0, 500, berlin)})

    assert payload(told)["timestamp"] == "2026-03-02T09:00:00.000500Z"


def test_the_documented_sample_is_what_is_posted():
    page = (Path(__file__).parents[2] / "docs/notifiers/webhook.md").read_text()
    sample = re.search(r"```json\n(.*?)```", page, re.DOTALL)

    assert sample
    assert json.loads(sample[1]) == payload(NOTICE)


def test_what_is_not_made_for_people_stays_here():
    facts = {"account": "ci", "sealed_link": "CANARY", "token": TOKEN, "error": f"bad {TOKEN}"}
    told = Notice(**{**vars(NOTICE), "facts": facts})

    assert payload(told)["data"]["facts"] == {"account": "ci", "error": "bad tfy_vat_***"}


def test_a_link_that_is_none_is_left_out():
    told = Notice(**{**vars(NOTICE), "link": "javascript:alert(1)"})

    assert payload(told)["data"]["link"] == ""


_texts = st.text(max_size=3_000) | st.text(alphabet=st.characters(categories=["Cs", "Cc", "Lo"]))
_values = st.recursive(
    _texts | st.none() | st.booleans() | st.integers() | st.just(f"x {TOKEN} y"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)


@given(
    facts=st.dictionaries(st.sampled_from([*NOTICE.facts, "by", "reason"]), _values), tenant=_texts
)
@settings(
    max_examples=60,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_whatever_the_facts_are_the_body_is_signed_json_without_a_token(receiver, facts, tenant):
    told = Notice(**{**vars(NOTICE), "facts": facts, "tenant": tenant})

    hook(receiver).send(told, "", PORTS)

    assert receiver.received[-1].data.keys() == {"type", "timestamp", "data"}
    assert "CANARY" not in receiver.received[-1].body


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "CANARY",
        "whsec_",
        "whsec_CANARY!",
        "whsec_" + base64.b64encode(b"CANARY".ljust(23)).decode(),
        "whsec_" + base64.b64encode(b"CANARY".ljust(65)).decode(),
        OLD.removeprefix("whsec_"),
        OLD + "\r\nCANARY",
        "whsec_CANARYü",
    ],
)
@pytest.mark.parametrize("name", ["signing_secret", "previous_signing_secret"])
def test_a_wrong_secret_is_refused_without_being_quoted(name, wrong):
    auth = {"webhook_url": "https://example.com/x", "signing_secret": OLD, name: wrong}

    with pytest.raises(ValidationError, match="24 to 64") as raised:
        WebhookNotifier.model_validate({"auth_data": auth})

    assert "CANARY" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://example.com/CANARY", "CANARY", "https://x y/CANARY", "https://u:p@x/CANARY"]
)
def test_a_wrong_address_is_refused_without_being_quoted(url):
    with pytest.raises(ValidationError, match="https://") as raised:
        WebhookNotifier.model_validate({"auth_data": {"webhook_url": url, "signing_secret": OLD}})

    assert "CANARY" not in str(raised.value)


def test_a_receivers_words_are_not_quoted(receiver):
    receiver.fault("POST *", status=403, body="CANARY of an inner service")

    with pytest.raises(DestinationRefused) as refused:
        hook(receiver).send(NOTICE, "", PORTS)

    assert str(refused.value) == "the webhook refused (403)"


def test_integrations_of_one_address_share_what_it_allows_and_do_not_tell_it(receiver):
    mine, same = hook(receiver), hook(receiver, NEW)

    assert mine.quota_key("") == same.quota_key("")
    assert "CANARY" not in mine.quota_key("")
    assert mine.pace.send_limit == 15
