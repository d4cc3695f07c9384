"""Going on after something was done: to another page, which says so."""

from http import HTTPStatus

from starlette.responses import RedirectResponse, Response


def onward(path: str, done: str = "") -> Response:
    """To this page of ours; `done` is a word of `console.told`."""
    mark = "&" if "?" in path else "?"
    return RedirectResponse(f"{path}{mark}done={done}" if done else path, HTTPStatus.SEE_OTHER)
