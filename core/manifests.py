"""The manifest of a virtual account, as the wire contract writes it.

Accepts the reference's snake_case and the camelCase that its SDK makes of dicts; a
manifest is kept as it was given, in the reference's spelling.
"""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    StringConstraints,
    TypeAdapter,
    model_validator,
)

from core.claims import Condition
from core.durations import Duration, write_duration
from core.errors import InvalidInput
from core.fields import Day, Name, Part, end_of
from core.leaks import OnLeak
from core.notice_targets import NoticeTarget, NoticeTargets
from core.parsing import parse
from core.policy import Policy, check_schedule, check_timezone
from core.store_places import StorePlace

_SECOND = timedelta(seconds=1)


class AutoRotate(Part):
    """How often the token is turned, and how long the old one works."""

    auto_rotate_interval: int = Field(default=360, ge=1, le=36_500, description="days")
    grace_period: int = Field(default=30, ge=0, le=36_500, description="days")
    interval: Duration | None = None
    grace: Duration | None = None
    schedule: Annotated[str, StringConstraints(max_length=200)] | None = None
    timezone: str = "UTC"
    spread: Duration = timedelta(0)
    max_hold: Duration | None = None
    ack_ends_grace: bool = False
    notify_before: (
        Annotated[list[Annotated[Duration, Field(ge=_SECOND)]], Field(max_length=10)] | None
    ) = Field(default=None, description="how long before a rotation people are reminded of it")

    @model_validator(mode="after")
    def _one_rhythm(self) -> "AutoRotate":
        if self.schedule and self.interval is not None:
            raise ValueError("give schedule or interval, not both")
        if self.interval == timedelta(0):
            raise ValueError("an interval is longer than nothing")
        return self

    @property
    def given_grace(self) -> timedelta | None:
        """The grace that the manifest says, in either way; None if it says none."""
        if self.grace is None and "grace_period" in self.model_fields_set:
            return timedelta(days=self.grace_period)
        return self.grace

    @property
    def reminders(self) -> list[int] | None:
        """How many seconds before a rotation people are reminded; None: as is usual."""
        if self.notify_before is None:
            return None
        return sorted({round(before.total_seconds()) for before in self.notify_before})


class Permission(Part):
    """A role on a resource."""

    resource_fqn: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    resource_type: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    role_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class OwnedBy(Part):
    account: str | None = None
    team: str


class IdentityProviderMapping(Part):
    """Whoever has this value as the subject of an identity provider's JWT is the account.

    Only while the JWT meets the conditions. A value that ends with an asterisk stands for all
    that begin so: such a JWT may be meant for several accounts, so it has to be exchanged for a
    token of the one that is named.
    """

    identity_provider: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    value: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    conditions: Annotated[tuple[Condition, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _means_somebody(self) -> "IdentityProviderMapping":
        if self.value == "*" and not self.conditions:
            raise ValueError("a value of * is everybody: give conditions too")
        return self

    @property
    def exact(self) -> str | None:
        """The one value that is meant; None if there are several."""
        return None if self.value.endswith("*") else self.value

    def fits(self, subject: str) -> bool:
        """Whether this value of the subject is meant."""
        if self.exact is None:
            return subject.startswith(self.value[:-1])
        return subject == self.value


class VirtualAccountManifest(Part):
    """What a virtual account should be."""

    name: Name
    type: Literal["virtual-account"] = "virtual-account"
    permissions: Annotated[list[Permission], Field(min_length=1, max_length=500)] | None = None
    expiration_date: Day | None = None
    auto_rotate: AutoRotate | None = None
    notification_target: NoticeTarget | None = None
    notification_targets: NoticeTargets | None = None
    secret_store_config: StorePlace | None = None
    secret_store_configs: Annotated[list[StorePlace], Field(max_length=20)] | None = None
    owned_by: OwnedBy | None = None
    tags: Annotated[dict[str, Any], Field(max_length=50)] | None = None
    identity_provider_mapping: (
        Annotated[list[IdentityProviderMapping], Field(max_length=20)] | None
    ) = None
    token_type: Literal["opaque", "jwt"] | None = None
    on_leak: OnLeak | None = None

    @model_validator(mode="after")
    def _one_or_several(self) -> "VirtualAccountManifest":
        if self.secret_store_config and self.secret_store_configs:
            raise ValueError("give secret_store_config or secret_store_configs, not both")
        if self.notification_target and self.notification_targets:
            raise ValueError("give notification_target or notification_targets, not both")
        return self

    @property
    def stores(self) -> list[StorePlace]:
        one: list[StorePlace] = [self.secret_store_config] if self.secret_store_config else []
        return one + (self.secret_store_configs or [])

    @property
    def targets(self) -> list[NoticeTarget]:
        one: list[NoticeTarget] = [self.notification_target] if self.notification_target else []
        return one + (self.notification_targets or [])

    @property
    def is_silent(self) -> bool:
        """Whether it says that nobody is told, by an empty list."""
        return self.notification_targets == [] and self.notification_target is None

    @property
    def expires_at(self) -> datetime | None:
        """The end of the expiration date, UTC: the account is valid through that day."""
        return None if self.expiration_date is None else end_of(self.expiration_date)

    def policy(
        self, *, max_hold: timedelta, default_grace: timedelta = timedelta(days=30)
    ) -> Policy | None:
        """How it rotates; None if only by hand.

        `max_hold` and `default_grace` are the tenant's, where the manifest says nothing.
        """
        rotate = self.auto_rotate
        if rotate is None:
            return None
        days = timedelta(days=rotate.auto_rotate_interval)
        return Policy(
            interval=None if rotate.schedule else (rotate.interval or days),
            schedule=rotate.schedule,
            timezone=rotate.timezone,
            spread=rotate.spread,
            grace=rotate.given_grace if rotate.given_grace is not None else default_grace,
            max_hold=max_hold if rotate.max_hold is None else rotate.max_hold,
        )


def parse_account(given: dict[str, Any]) -> VirtualAccountManifest:
    """Reads a manifest in reference spelling; InvalidInput names the first wrong field."""
    renamed = {("owned_by" if key == "ownedBy" else key): value for key, value in given.items()}
    return parse(TypeAdapter(VirtualAccountManifest), renamed)


def check_token_type(manifest: VirtualAccountManifest) -> None:
    """Raises InvalidInput unless the account can have a token of this type."""
    if manifest.token_type != "jwt":
        return
    if manifest.identity_provider_mapping:
        raise InvalidInput("token_type", "an account with a mapping has no token of its own")
    if manifest.auto_rotate is None and manifest.expiration_date is None:
        raise InvalidInput("token_type", "a JWT ends: give auto_rotate or expiration_date too")


def check_policy(
    policy: Policy,
    *,
    now: datetime,
    smallest_interval: timedelta,
    smallest_grace: timedelta,
    max_live_generations: int,
) -> None:
    """Raises InvalidInput unless the tenant's limits allow this policy."""
    check_timezone(policy.timezone)
    if policy.schedule is not None:
        check_schedule(policy.schedule, policy.timezone, now)
    gap = policy.shortest_gap(now)
    if gap < smallest_interval:
        raise InvalidInput(
            "auto_rotate.schedule" if policy.schedule else "auto_rotate.interval",
            f"the smallest interval of this tenant is {write_duration(smallest_interval)}; "
            f"this one is {write_duration(gap)}",
        )
    if policy.grace < smallest_grace or not policy.grace:
        raise InvalidInput(
            "auto_rotate.grace",
            f"the smallest grace of this tenant is {write_duration(smallest_grace)}",
        )
    if policy.grace > gap * (max_live_generations - 1):
        raise InvalidInput(
            "auto_rotate.grace",
            f"this grace would keep more than {max_live_generations} generations alive; "
            "shorten it or rotate less often",
        )
