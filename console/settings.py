"""Settings, security: what is allowed to keys, tokens and sessions, and the keys that sign JWTs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Sent
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.durations import parse_duration, write_duration
from core.errors import InvalidInput
from core.jwks import SIGNING
from services.engine.signing import LEAD, list_signing_keys, rotate_signing_key
from services.operation.tenants import Limits, Settled, read_limits, set_limits

router = APIRouter(prefix="/settings/security")

_DURATIONS = (
    "smallest_interval",
    "smallest_grace",
    "default_grace",
    "max_hold",
    "pick_up",
    "session_length",
    "pat_longest_life",
)
_LIMITLESS = {"pat_longest_life", "pat_most_per_user"}
_FIELDS = (*_DURATIONS, "pat_most_per_user", "jwt_algorithm")
_SHOWN = 50  # tokens that would be shortened

Values = Mapping[str, str]


@dataclass(frozen=True)
class Draft:
    """The form as it stands; `was` is what stood in it when it was opened."""

    values: Values
    was: Values

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def changes(self) -> dict[str, Any]:
        """What somebody has touched, read; InvalidInput names a field that cannot be."""
        touched = (one for one in _FIELDS if self.value(one) != self.was.get(one, ""))
        return {name: _read(name, self.value(name)) for name in touched}


@router.get("")
def look(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The limits as they are, and the keys."""
    values = _written(read_limits(runtime, actor).limits)
    return _page(runtime, actor, show, Draft(values, values), NOTHING)


@router.post("")
def save(runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show) -> Response:
    """The limits that were touched hold from now on.

    Where personal access tokens go on for longer than a new one could, it is asked first what
    becomes of them.
    """
    draft = Draft(
        {name: sent.text(name) for name in _FIELDS},
        {name: sent.text(f"was.{name}") for name in _FIELDS},
    )
    existing = sent.text("existing")
    try:
        changes = draft.changes()
        if not changes and not existing:
            return onward("/settings/security", "unchanged")
        if "pat_longest_life" in changes and not existing:
            settled = set_limits(runtime, actor, changes, dry_run=True)
            if settled.total:
                return _ask(show, draft, settled)
        set_limits(runtime, actor, changes, shorten=existing == "shorten")
    except CORRECTABLE as error:
        return _page(runtime, actor, show, draft, corrections_of(error, _FIELDS))
    return onward("/settings/security", "saved")


@router.get("/signing-keys/rotate")
def ask_rotate(runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """Since when the newest signs, and when the next one would."""
    actor.demand_everywhere("settings:update")
    keys = list_signing_keys(runtime, actor)
    return show("settings/rotate_key.html", keys=keys, lead=LEAD)


@router.post("/signing-keys/rotate")
def rotate(runtime: TheRuntime, actor: SignedIn, sent: Sent) -> Response:
    """A new key, which signs once everybody can know it; or at once."""
    rotate_signing_key(runtime, actor, at_once=sent.flag("at_once"))
    return onward("/settings/security", "key-rotated")


def _page(
    runtime: TheRuntime, actor: SignedIn, show: Show, draft: Draft, wrong: Corrections
) -> Response:
    return show(
        "settings/security.html",
        wrong.status,
        draft=draft,
        fields=_FIELDS,
        settled=read_limits(runtime, actor),
        keys=list_signing_keys(runtime, actor),
        algorithms=[(one, one) for one in SIGNING],
        may_update=actor.permits.allow_everywhere("settings:update"),
        wrong=wrong,
    )


def _ask(show: Show, draft: Draft, settled: Settled) -> Response:
    return show(
        "settings/existing.html", draft=draft, fields=_FIELDS, settled=settled, shown=_SHOWN
    )


def _written(limits: Limits) -> Values:
    found = {}
    for name in _FIELDS:
        value = getattr(limits, name)
        text = write_duration(value) if isinstance(value, timedelta) else value
        found[name] = "" if text is None else str(text)
    return found


def _read(name: str, text: str) -> Any:
    """A field's value; nothing at all is no limit, where there may be none."""
    if not text:
        if name in _LIMITLESS:
            return None
        raise InvalidInput(name, "give a duration like 90s, 30m, 12h, 7d or P45D")
    if name in _DURATIONS:
        try:
            return parse_duration(text)
        except ValueError as error:
            raise InvalidInput(name, str(error)) from None
    if name == "pat_most_per_user":
        if not text.isdecimal():
            raise InvalidInput(name, "give a whole number")
        return int(text[:12])
    return text
