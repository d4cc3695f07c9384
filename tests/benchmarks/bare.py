"""The least an ASGI application can answer, served as Keyturn is: `python -m ... PORT`."""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send

from api.serving import configured

_BODY = b"x" * 240  # as long as verify's


async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"240")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": _BODY})


if __name__ == "__main__":
    uvicorn.Server(configured(app, port=int(sys.argv[1]), lifespan="off")).run()
