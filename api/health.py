"""Whether this process lives (`/healthz`), and whether it can do its work (`/readyz`)."""

from fastapi import APIRouter

from api.callers import TheRuntime

router = APIRouter(tags=["health"])


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """200 while the process answers at all."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(runtime: TheRuntime) -> dict[str, str]:
    """200 while the database answers too; 503 says what does not."""
    runtime.database.ping()
    return {"status": "ready"}
