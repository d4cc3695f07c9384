"""Who is told, as a manifest says it."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, StringConstraints, Tag

from core.fields import Email, Part

_Recipient = Annotated[str, StringConstraints(max_length=320)]


class EmailTarget(Part):
    type: Literal["email"] = "email"
    notification_channel: str
    to_emails: Annotated[list[Email], Field(min_length=1, max_length=50)]

    def addresses(self) -> Iterable[str]:
        return self.to_emails


class SlackBotTarget(Part):
    type: Literal["slack-bot"] = "slack-bot"
    notification_channel: str
    channels: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=80)]],
        Field(min_length=1, max_length=50),
    ]

    def addresses(self) -> Iterable[str]:
        return self.channels


class ChannelTarget(Part):
    """Any other channel; without addresses it has one recipient only."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    notification_channel: str
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
