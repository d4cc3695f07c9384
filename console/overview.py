"""The first page: how things stand."""

from fastapi import APIRouter
from starlette.responses import Response

from console.rendering import Show
from console.visitors import SignedIn

router = APIRouter()


@router.get("/")
def overview(actor: SignedIn, show: Show) -> Response:
    """What the person comes for."""
    return show("overview.html", actor=actor)
