"""Who is told of what, as a manifest says it."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, StringConstraints, Tag

from core.events import SUBSCRIBABLE, Severity
from core.fields import Email, Part, Zone

_Recipient = Annotated[str, StringConstraints(max_length=320)]


def _event(name: str) -> str:
    if name not in SUBSCRIBABLE:
        raise ValueError("give one of " + ", ".join(SUBSCRIBABLE))
    return name


class _Subscription(Part):
    """What its recipients are told: these events (all unless given), from this severity on."""

    notification_channel: str
    events: (
        Annotated[list[Annotated[str, AfterValidator(_event)]], Field(min_length=1, max_length=100)]
        | None
    ) = None
    minimum_severity: Literal["info", "warning", "critical"] = "info"
    timezone: Zone = "UTC"

    @property
    def least(self) -> Severity:
        return Severity[self.minimum_severity.upper()]

    def addresses(self) -> Iterable[str]:
        """Each recipient on the channel."""
        raise NotImplementedError


class EmailTarget(_Subscription):
    type: Literal["email"] = "email"
    to_emails: Annotated[list[Email], Field(min_length=1, max_length=50)]

    def addresses(self) -> Iterable[str]:
        return self.to_emails


class SlackBotTarget(_Subscription):
    type: Literal["slack-bot"] = "slack-bot"
    channels: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=80)]],
        Field(min_length=1, max_length=50),
    ]

    def addresses(self) -> Iterable[str]:
        return self.channels


class ChannelTarget(_Subscription):
    """Any other channel; without addresses it has one recipient only."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    to: Annotated[list[_Recipient], Field(max_length=50)] = [""]  # noqa: RUF012 - pydantic copies it

    def addresses(self) -> Iterable[str]:
        return self.to or [""]


def _form(target: Any) -> str:
    kind = target.get("type") if isinstance(target, dict) else getattr(target, "type", None)
    return kind if isinstance(kind, str) and kind in {"email", "slack-bot"} else "other"


NoticeTarget = Annotated[
    Annotated[EmailTarget, Tag("email")]
    | Annotated[SlackBotTarget, Tag("slack-bot")]
    | Annotated[ChannelTarget, Tag("other")],
    Discriminator(_form),
]
NoticeTargets = Annotated[list[NoticeTarget], Field(max_length=20)]
