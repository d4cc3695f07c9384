"""Templates become pages: escaped, complete or not at all, and with what every page knows."""

from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from console import words
from console.assets import Assets
from console.icons import icon
from console.navigation import entries
from console.parts import parts_of
from console.told import TOLD
from console.visitors import Visit, visit_of

FOLDER = Path(__file__).parent / "templates"


class Templates:
    """The templates of the console. A value that is not given is an error, never nothing."""

    def __init__(self, assets: Assets) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._environment.globals.update(asset=assets.path, icon=icon, told=TOLD)
        self._environment.filters.update(words.FILTERS)

    def render(
        self,
        template: str,
        visit: Visit,
        now: datetime,
        context: Mapping[str, Any],
    ) -> str:
        """The page as text."""
        return self._environment.get_template(template).render(
            visit=visit, now=now, navigation=entries(visit), **context
        )


def page(
    request: Request,
    template: str,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """The answer with this page. `done` in the address names what was done just before."""
    parts = parts_of(request)
    context.setdefault("done", request.query_params.get("done", ""))
    text = parts.templates.render(template, visit_of(request), parts.runtime.now(), context)
    return HTMLResponse(text, status, dict(headers or {}))


Shower = Callable[..., HTMLResponse]


def _shower(request: Request) -> Shower:
    def show(template: str, status: int = HTTPStatus.OK, **context: Any) -> HTMLResponse:
        return page(request, template, status, **context)

    return show


Show = Annotated[Shower, Depends(_shower)]
