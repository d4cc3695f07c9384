"""What a gateway asks beside whose a token is: whether its bearer may do a thing."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

from core.errors import InvalidInput
from core.roles import RESOURCE_TYPES, check_action

_LONGEST = 500
_NAMES = ("resource_type", "resource_fqn", "action", "method_from")
_METHODS_FROM = {"original": b"x-original-method", "forwarded": b"x-forwarded-method"}
_READING = {b"GET", b"HEAD", b"OPTIONS"}


@dataclass(frozen=True)
class Question:
    """An action on a resource; without an action, one that the original request's method says."""

    resource_type: str
    fqn: str
    action: str | None
    method_header: bytes | None = None

    def action_for(self, headers: Iterable[tuple[bytes, bytes]]) -> str:
        """To read, if the header that the gateway sets says just that; else to use."""
        if self.action is not None:
            return self.action
        methods = {value for name, value in headers if name == self.method_header}
        verb = "read" if methods and methods <= _READING else "use"
        return f"{self.resource_type}:{verb}"


@lru_cache(maxsize=1_024)
def question_of(query: bytes) -> Question | None:
    """The question in a query string, None without one; InvalidInput if it is not whole."""
    given: dict[str, str] = {}
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
        if name in given:
            raise InvalidInput(name, "give it once")
        if name in _NAMES:
            given[name] = value
    if not given:
        return None
    missing = [name for name in _NAMES[:2] if name not in given]
    if missing:
        raise InvalidInput(missing[0], "resource_type, resource_fqn and action go together")
    if given["resource_type"] not in RESOURCE_TYPES:
        raise InvalidInput("resource_type", "there is no such type of resource")
    if not 0 < len(given["resource_fqn"]) <= _LONGEST:
        raise InvalidInput("resource_fqn", f"give 1 to {_LONGEST} characters")
    return Question(given["resource_type"], given["resource_fqn"], *_doing(given))


@lru_cache(maxsize=1_024)
def asks_for_roles(query: bytes) -> bool:
    """Whether the bearer's roles are asked for too; InvalidInput for another `include`."""
    given = [
        value
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        if name == "include"
    ]
    if given and given != ["roles"]:
        raise InvalidInput("include", "give roles, once")
    return bool(given)


def _doing(given: dict[str, str]) -> tuple[str | None, bytes | None]:
    if "action" not in given and "method_from" in given:
        header = _METHODS_FROM.get(given["method_from"])
        if header is None:
            raise InvalidInput("method_from", "give " + " or ".join(_METHODS_FROM))
        return None, header
    try:
        return check_action(given.get("action", "")), None
    except ValueError as error:
        message = str(error)
    raise InvalidInput("action", message)
