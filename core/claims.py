"""Claims by path, and what may be demanded of them.

A path has its names between dots; one that has dots itself is quoted:
`"kubernetes.io".serviceaccount.uid`.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from core.fields import Part

_NAME = re.compile(r'"([^"]+)"|([^."]+)')
_DEEPEST = 8

Scalar = bool | int | Annotated[str, StringConstraints(max_length=500)]


def parse_path(text: str) -> tuple[str, ...]:
    """The names of a path; ValueError says how it is written."""
    names, at = [], 0
    while found := _NAME.match(text, at):
        names.append(found[1] or found[2])
        at = found.end()
        if at == len(text) and len(names) <= _DEEPEST:
            return tuple(names)
        if text[at : at + 1] != ".":
            break
        at += 1
    raise ValueError(
        "give names with dots between them, and quote one that has dots itself: "
        '"kubernetes.io".serviceaccount.uid'
    )


def pick(claims: Mapping[str, Any], path: str) -> Any:
    """What stands at the path; None if nothing does."""
    found: Any = claims
    for name in parse_path(path):
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def _path(text: str) -> str:
    parse_path(text)
    return text


ClaimPath = Annotated[str, StringConstraints(min_length=1, max_length=300), AfterValidator(_path)]


class Condition(Part):
    """What a claim has to be. Of a claim that is a list, one of its items has to be it."""

    claim: ClaimPath
    equals: Scalar | None = None
    among: Annotated[list[Scalar], Field(min_length=1, max_length=100)] | None = Field(
        default=None, alias="in"
    )
    matches: Annotated[str, StringConstraints(min_length=2, max_length=500)] | None = None

    @model_validator(mode="after")
    def _one_demand(self) -> "Condition":
        given = [one for one in (self.equals, self.among, self.matches) if one is not None]
        if len(given) != 1:
            raise ValueError("give one of equals, in, matches")
        if self.matches is not None and self.matches.find("*") != len(self.matches) - 1:
            raise ValueError("matches ends with its only asterisk, like repo:acme/*")
        return self

    def is_met(self, claims: Mapping[str, Any]) -> bool:
        """Whether the claims are as demanded; what is not there never is."""
        found = pick(claims, self.claim)
        items = found if isinstance(found, list) else [found]
        return any(self._allows(item) for item in items)

    def _allows(self, item: Any) -> bool:
        if self.matches is not None:
            return isinstance(item, str) and item.startswith(self.matches[:-1])
        wanted = [self.equals] if self.among is None else self.among
        return any(type(item) is type(one) and item == one for one in wanted)
