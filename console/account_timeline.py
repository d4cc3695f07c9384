"""An account's story as the facts that its timeline is drawn from."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from console.timeline import Dot, Lane, Life, Timeline, timeline
from console.words import moment
from models import Action, Delivery, DeliveryState, TokenRow, TokenState
from services.accounts.account_story import Sent, Story

_MOST_LANES = 8
_MOST_LIVES = 8
_SAID = {
    Action.PUT: "Copy of generation {}",
    Action.REMOVE: "Removal of the copy",
    Action.CHECK: "Check of the copy",
    Action.NOTICE: "Notice",
}


def timeline_of(story: Story, now: datetime) -> Timeline:
    """The account's life, as far back as its newest generations."""
    account = story.view.account
    return timeline(
        lives_of(story.tokens[:_MOST_LIVES], now),
        lanes_of(story.sent),
        now=now,
        next_rotation=account.next_rotation_at if account.due_at else None,
        grace=account.grace,
    )


def lives_of(tokens: Sequence[TokenRow], now: datetime) -> list[Life]:
    """Each generation's life; the sequence has the newest first."""
    minted = {token.generation: token.created_at for token in tokens}
    return [_life(token, minted.get(token.generation + 1), now) for token in tokens]


def ends_of(token: TokenRow) -> datetime | None:
    """When it stops working, or did."""
    if token.state is TokenState.REVOKED:
        return token.ended_at
    return token.valid_until


def lanes_of(sent: Sequence[Sent]) -> list[Lane]:
    """A lane for each destination, those of copies before those of notices."""
    names: dict[tuple[bool, UUID, str], str] = {}
    dots: dict[tuple[bool, UUID, str], list[Dot]] = {}
    for one in sent:
        row = one.delivery
        is_notice = row.action is Action.NOTICE
        key = (is_notice, row.destination, row.address or row.document or "")
        names.setdefault(key, f"{one.integration} {row.address or row.document or ''}".strip())
        dots.setdefault(key, []).append(_dot(row))
    lanes = [Lane(names[key], dots[key]) for key in sorted(dots, key=lambda key: key[0])]
    return lanes[:_MOST_LANES]


def outcome_of(row: Delivery) -> str:
    """What became of it, in one word."""
    if row.state is DeliveryState.PENDING:
        return "trying" if row.failures or row.error else "waiting"
    return row.state.value


def _dot(row: Delivery) -> Dot:
    said = _SAID[row.action].format(row.generation)
    at = row.settled_at or row.due_at
    words = f"{said}: {outcome_of(row)}\n{moment(at)}"
    return Dot(at, outcome_of(row), f"{words}\n{row.error}" if row.error else words)


def _life(token: TokenRow, superseded: datetime | None, now: datetime) -> Life:
    ends = ends_of(token)
    lines = [f"Generation {token.generation}, {_state(token, now)}"]
    lines.append(f"Minted {moment(token.created_at)}")
    if superseded is not None:
        lines.append(f"Replaced {moment(superseded)}")
    if token.grace_until is not None:
        lines.append(f"Grace until {moment(token.grace_until)}")
    if ends is not None:
        lines.append(f"{'Ends' if ends > now else 'Ended'} {moment(ends)}")
    return Life(
        token.generation,
        token.created_at,
        superseded,
        token.grace_until,
        ends,
        is_revoked=token.state is TokenState.REVOKED,
        words="\n".join(lines),
    )


def _state(token: TokenRow, now: datetime) -> str:
    if token.is_held(now):
        return "held"
    if token.state is TokenState.GRACE and not token.is_valid(now):
        return "expired"
    return "in its grace" if token.state is TokenState.GRACE else token.state.value
