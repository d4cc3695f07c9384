"""Narrowing the list of virtual accounts: a part of the name, owners, expiry, a tree of conditions.

A tree has groups, `{"type": "AND", "children": [...]}`, and conditions, `{"column": "name",
"op": "STRING_CONTAINS", "value": "bot"}`. A condition on a tag names it: `{"column":
"manifest.tags", "key": "team", "op": "EQUAL", "value": "platform"}`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, select

from core.errors import InvalidInput
from models import Team, VirtualAccount
from services.accounts.account_conditions import (
    MOST_VALUES,
    Condition,
    check_keys,
    condition,
    one_of,
)
from services.accounts.account_statuses import Status, condition_of

_DEEPEST = 5
_MOST_CONDITIONS = 50


@dataclass(frozen=True)
class Narrowing:
    """Which accounts are asked for; everything that is given must hold."""

    search: str = ""
    teams: Sequence[str] = ()
    is_expired: bool | None = None
    tree: str | None = None
    status: Status | None = None

    def conditions(self, tenant_id: UUID, now: datetime) -> Iterator[Condition]:
        """As conditions on an account's row; InvalidInput says where the tree is wrong."""
        if self.search:
            yield VirtualAccount.name.contains(self.search.lower(), autoescape=True)
        if self.teams:
            if len(self.teams) > MOST_VALUES:
                raise InvalidInput("ownedByTeams", f"give at most {MOST_VALUES} names")
            owners = select(Team.id).where(Team.tenant_id == tenant_id, Team.name.in_(self.teams))
            yield VirtualAccount.team_id.in_(owners)
        if self.is_expired is not None:
            over = VirtualAccount.expires_at <= now
            yield over if self.is_expired else or_(VirtualAccount.expires_at.is_(None), ~over)
        if self.status is not None:
            yield condition_of(self.status, tenant_id, now)
        if self.tree:
            yield _Tree().read(_parsed(self.tree), "filter", 1)


def _parsed(tree: str) -> Any:
    try:
        return json.loads(tree)
    except (ValueError, RecursionError):
        raise InvalidInput("filter", "give a JSON object") from None


_GROUPS: dict[str, Callable[..., Condition]] = {"AND": and_, "OR": or_}


class _Tree:
    """Reads one tree, counting its conditions."""

    def __init__(self) -> None:
        self._conditions = 0

    def read(self, node: Any, path: str, depth: int) -> Condition:
        if not isinstance(node, dict):
            raise InvalidInput(path, "give an object with type and children, or column and op")
        if "children" in node or "column" not in node:
            return self._group(node, path, depth)
        self._conditions += 1
        if self._conditions > _MOST_CONDITIONS:
            raise InvalidInput("filter", f"give at most {_MOST_CONDITIONS} conditions")
        return condition(node, path)

    def _group(self, node: dict[str, Any], path: str, depth: int) -> Condition:
        check_keys(node, {"type", "children"}, path)
        together = one_of(node.get("type"), _GROUPS, f"{path}.type")
        children = node.get("children")
        if not isinstance(children, list) or not children:
            raise InvalidInput(f"{path}.children", "give a list of conditions or groups")
        if depth == _DEEPEST:
            raise InvalidInput(path, f"give at most {_DEEPEST} levels")
        read = [
            self.read(child, f"{path}.children.{number}", depth + 1)
            for number, child in enumerate(children)
        ]
        return together(*read)
