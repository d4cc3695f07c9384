"""A tenant's settings: what is allowed to keys, tokens and logins."""

from dataclasses import fields
from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from api.callers import Caller, TheRuntime
from api.shapes import moment
from core.durations import Duration, write_duration
from core.errors import InvalidInput
from core.leaks import OnLeak
from core.spelling import reference_spelling
from services.operation.tenants import Limits, LongLived, Settled, read_limits, set_limits

router = APIRouter(prefix="/api/svc/v1/settings", tags=["settings"])

# The fields of Limits, as the wire spells them.
_WIRE = {
    "smallest_interval": "smallestInterval",
    "smallest_grace": "smallestGrace",
    "default_grace": "defaultGrace",
    "max_hold": "maximumHold",
    "pick_up": "pickUp",
    "session_length": "sessionLength",
    "pat_longest_life": "patLongestLife",
    "pat_most_per_user": "patMostPerUser",
    "jwt_algorithm": "jwtAlgorithm",
    "on_leak": "onLeak",
    "notification_targets": "notificationTargets",
}
_CHOICES = {"jwt_algorithm": "give EdDSA or RS256", "on_leak": "give revoke, rotate or tell"}
_LIMITLESS = {"pat_longest_life", "pat_most_per_user"}


class Security(BaseModel):
    """What is left out stays as it is; null is no limit on personal access tokens, and nobody told.

    `existing` says what happens to personal access tokens that go on for longer than allowed.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    smallestInterval: Duration | None = None  # noqa: N815 - the wire's spelling
    smallestGrace: Duration | None = None  # noqa: N815 - the wire's spelling
    defaultGrace: Duration | None = None  # noqa: N815 - the wire's spelling
    maximumHold: Duration | None = None  # noqa: N815 - the wire's spelling
    pickUp: Duration | None = None  # noqa: N815 - the wire's spelling
    sessionLength: Duration | None = None  # noqa: N815 - the wire's spelling
    patLongestLife: Duration | None = None  # noqa: N815 - the wire's spelling
    patMostPerUser: int | None = None  # noqa: N815 - the wire's spelling
    jwtAlgorithm: Literal["EdDSA", "RS256"] | None = None  # noqa: N815 - the wire's spelling
    onLeak: OnLeak | None = None  # noqa: N815 - the wire's spelling
    notificationTargets: list[dict[str, Any]] | None = None  # noqa: N815 - the wire's spelling
    existing: Literal["shorten", "report"] = "report"

    def changes(self) -> dict[str, Any]:
        """The limits that were given, by the names they have here."""
        given = {
            name: getattr(self, wire)
            for name, wire in _WIRE.items()
            if wire in self.model_fields_set
        }
        if "notification_targets" in given:
            told = {"notification_targets": given["notification_targets"] or []}
            given |= reference_spelling(told)
        for name, value in given.items():
            if value is None and name in _CHOICES:
                raise InvalidInput(_WIRE[name], _CHOICES[name])
            if value is None and name not in _LIMITLESS:
                raise InvalidInput(_WIRE[name], "give a duration like 90s, 30m, 12h, 7d or P45D")
        return given


@router.get("/security")
def security(runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """The limits, and the personal access tokens that go beyond them."""
    return _answer(read_limits(runtime, actor), "report")


@router.put("/security")
def change_security(body: Security, runtime: TheRuntime, actor: Caller) -> dict[str, Any]:
    """Changes the limits that are given; answers which tokens were, or would be, shortened."""
    try:
        settled = set_limits(runtime, actor, body.changes(), shorten=body.existing == "shorten")
    except InvalidInput as error:
        name, dot, below = error.field.partition(".")
        wire = f"{_WIRE.get(name, name)}{dot}{below}"
        raise InvalidInput(wire, str(error).removeprefix(f"{error.field}: ")) from None
    return _answer(settled, body.existing)


def _answer(settled: Settled, existing: str) -> dict[str, Any]:
    return {
        "data": {_WIRE[f.name]: _written(getattr(settled.limits, f.name)) for f in fields(Limits)},
        "existing": existing,
        "tokens": [_token(one) for one in settled.tokens],
        "total": settled.total,
    }


def _written(value: Any) -> Any:
    return write_duration(value) if isinstance(value, timedelta) else value


def _token(one: LongLived) -> dict[str, Any]:
    return {
        "id": str(one.id),
        "name": one.name,
        "email": one.email,
        "expiresAt": moment(one.ends_at),
    }
