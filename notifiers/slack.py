"""Slack: a bot that posts to channels, or an incoming webhook that posts to its own."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from core.errors import DestinationRefused, PlaceRefused
from core.plugins import Pace, Ports
from notifiers.base import MOST_IN_DIGEST, Digest, Notice, Notifier
from notifiers.blocks import message
from notifiers.digest_blocks import digest_message
from notifiers.slack_client import BotClient, HookClient, refuse_hook, translated
from notifiers.wire import LOOK_UP, CaBundle, Deadline, https_url, quoted

# https://docs.slack.dev/apis/web-api/rate-limits: one message per second per channel.
_PER_SECOND = 1.0
_SLACK = {"hooks.slack.com", "hooks.slack-gov.com"}
_HOOK = re.compile(r"/services/T\w+/B\w+/\w+")


def _bearer(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not text or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError("give the bot's token, which begins with xoxb-")
    return token


def _hidden_url(url: SecretStr) -> SecretStr:
    https_url(url.get_secret_value())
    return url


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class SlackBotAuth(_Part):
    """The token of a bot with the permissions chat:write and chat:write.public."""

    type: Literal["slack-bot"] = "slack-bot"
    bot_token: Annotated[SecretStr, AfterValidator(_bearer)]


class SlackWebhookAuth(_Part):
    """The address of an incoming webhook; whoever knows it can post."""

    type: Literal["slack-webhook"] = "slack-webhook"
    webhook_url: Annotated[SecretStr, AfterValidator(_hidden_url)]


class _Slack(Notifier):
    """What bot and webhook share."""

    provider: ClassVar[str] = "slack"
    most_in_digest: ClassVar[int] = MOST_IN_DIGEST

    ca_bundle: CaBundle = Field(
        default="", description="PEM certificates of the only authorities to trust."
    )
    timeout: float = Field(default=10.0, ge=0.1, le=60, description="Seconds for one message.")

    @property
    def pace(self) -> Pace:
        return Pace(per_second=_PER_SECOND, concurrency=1, send_limit=self.timeout + LOOK_UP)


class SlackBotNotifier(_Slack):
    """Posts as a bot to channels of one workspace."""

    kind: ClassVar[str] = "slack-bot"
    title: ClassVar[str] = "Slack (bot)"

    auth_data: SlackBotAuth
    endpoint_url: Annotated[str, AfterValidator(https_url)] = Field(
        default="https://slack.com/api/", description="The Web API's address."
    )

    def lane_address(self, address: str) -> str:
        """One lane per channel, since Slack's limit is per channel."""
        return address

    def quota_key(self, address: str) -> str:
        return f"{_digest(self._token)}:{address}"

    def check(self, ports: Ports) -> str:
        """Asks who the bot is; a permission that is known to be missing is an error."""
        with self._client(ports) as client:
            answer = client.auth_test()
        granted = str(answer.headers.get("x-oauth-scopes", "chat:write"))
        if "chat:write" not in granted.replace(" ", "").split(","):
            raise DestinationRefused("the bot lacks the permission chat:write.")
        workspace, bot = (quoted(str(answer.get(what) or "?")) for what in ("team", "user"))
        return f"posts to the workspace {workspace} as {bot}"

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once Slack has the message; its metadata carry the notice's key."""
        return self._post(message(notice), address, ports)

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """The same for one message about all of it."""
        self._post(digest_message(digest), address, ports)

    def _post(self, made: dict[str, Any], address: str, ports: Ports) -> str:
        if not address:
            raise PlaceRefused("no channel is named.")
        with self._client(ports) as client:
            answer = client.chat_postMessage(channel=address, parse="none", **made)
        where, number = (quoted(str(answer.get(what) or "?")) for what in ("channel", "ts"))
        return f"Slack has posted it to {where} as message {number}"

    @property
    def _token(self) -> str:
        return self.auth_data.bot_token.get_secret_value()

    @contextmanager
    def _client(self, ports: Ports) -> Iterator[BotClient]:
        with translated(self._token), Deadline(ports.dialer, self.timeout) as deadline:
            yield BotClient(self._token, self.endpoint_url, deadline, self.ca_bundle)


class SlackWebhookNotifier(_Slack):
    """Posts to the one channel that an incoming webhook belongs to."""

    kind: ClassVar[str] = "slack-webhook"
    title: ClassVar[str] = "Slack (incoming webhook)"

    auth_data: SlackWebhookAuth

    def quota_key(self, address: str) -> str:
        return _digest(self._url)

    def check(self, ports: Ports) -> str:
        """Looks at the URL's form only: a webhook answers nothing but posts."""
        parts = urlsplit(self._url)
        if parts.hostname in _SLACK and not _HOOK.fullmatch(parts.path):
            raise DestinationRefused(
                "this is not the URL of an incoming webhook: "
                "Slack's end in /services/T.../B.../ and a secret."
            )
        return (
            f"the URL at {parts.hostname} is well formed; a webhook can only be tried by posting, "
            "so whether it works shows with the first notice"
        )

    def send(self, notice: Notice, address: str, ports: Ports) -> str:
        """Returns once Slack has the message; its metadata carry the notice's key."""
        return self._post(message(notice), ports)

    def send_digest(self, digest: Digest, address: str, ports: Ports) -> None:
        """The same for one message about all of it."""
        self._post(digest_message(digest), ports)

    def _post(self, made: dict[str, Any], ports: Ports) -> str:
        waits = Deadline(ports.dialer, self.timeout)
        with translated(*self._secrets), waits as deadline:
            answer = HookClient(self._url, deadline, self.ca_bundle).send_dict(made)
        if answer.status_code != HTTPStatus.OK or answer.body.strip() != "ok":
            refuse_hook(answer, *self._secrets)
        return "Slack has taken it over (ok)"

    @property
    def _url(self) -> str:
        return self.auth_data.webhook_url.get_secret_value()

    @property
    def _secrets(self) -> tuple[str, str]:
        """The URL and the part of it that nobody can guess."""
        return self._url, self._url.rstrip("/").rpartition("/")[2]


def _digest(secret: str) -> str:
    """Names a secret without telling it."""
    return sha256(secret.encode()).hexdigest()[:16]
