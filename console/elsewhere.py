"""Every other address: there is no such page, and whoever is signed in stays where they are."""

from fastapi import APIRouter
from starlette.responses import Response

from core.errors import NotFound

router = APIRouter()


@router.get("/{path:path}")
def nothing(path: str) -> Response:
    """Comes after all other pages."""
    raise NotFound("page", f"/{path}")
