"""One secret of a group: its value, shown on purpose and written down; and its end."""

from fastapi import APIRouter
from starlette.responses import Response

from console.forms import Sent
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.visitors import SignedIn
from core.errors import Forbidden, NotFound
from models import Secret
from services.secrets import secrets
from services.secrets.secret_group_story import SecretGroupStory, secret_group_story

router = APIRouter(prefix="/secret-groups/{group_id}/secrets/{secret_id}")


@router.post("/reveal")
def reveal(
    group_id: str, secret_id: str, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """The value and the ones before it, on this one page; the audit log keeps who asked."""
    story = secret_group_story(runtime, actor, group_id)
    secret = _secret(story, secret_id)
    if secret.key not in story.usable:
        raise Forbidden(f"This needs secret:use on {story.view.fqn}:{secret.key}.")
    view = secrets.get_secret(runtime, actor, secret_id)
    versions = [
        (row.version, row.created_at, value.get_secret_value() if value else None)
        for row, value in view.versions
    ]
    return show("secret_groups/value.html", story=story, secret=secret, versions=versions)


@router.get("/delete")
def ask_delete(
    group_id: str, secret_id: str, runtime: TheRuntime, actor: SignedIn, show: Show
) -> Response:
    """How many versions go, and who keeps it."""
    story = secret_group_story(runtime, actor, group_id)
    secret = _secret(story, secret_id)
    return show("secret_groups/delete_secret.html", story=story, secret=secret)


@router.post("/delete")
def delete(
    group_id: str, secret_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent
) -> Response:
    """It goes with its versions."""
    _secret(secret_group_story(runtime, actor, group_id), secret_id)
    secrets.delete_secret(runtime, actor, secret_id, force=sent.flag("force"))
    return onward(f"/secret-groups/{group_id}", "secret-deleted")


def _secret(story: SecretGroupStory, secret_id: str) -> Secret:
    for one in story.view.secrets:
        if str(one.id) == secret_id:
            return one
    raise NotFound("secret", secret_id)
