"""What Prometheus reads."""

from hmac import compare_digest
from ipaddress import ip_address

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.callers import TheRuntime, address_of, bearer
from core.errors import Unauthenticated
from core.settings import Settings
from services.watching.gauges import Gauges

router = APIRouter(tags=["health"])

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


@router.get("/metrics", include_in_schema=False)
def metrics(request: Request, runtime: TheRuntime) -> Response:
    """Counters of this process and gauges of the installation, in Prometheus's text format."""
    _demand_reader(request, runtime.settings)
    own, common = generate_latest(runtime.metrics.registry), generate_latest(Gauges(runtime))
    return Response(own + common, media_type=CONTENT_TYPE_LATEST)


def _demand_reader(request: Request, settings: Settings) -> None:
    """Whoever has the operator's token; without one, whoever asks on this host itself."""
    if settings.metrics_token is not None:
        given = (bearer(request) or "").encode()
        if not compare_digest(given, settings.metrics_token.get_secret_value().encode()):
            raise Unauthenticated("send KEYTURN_METRICS_TOKEN")
    elif not _is_on_this_host(request):
        raise Unauthenticated("set KEYTURN_METRICS_TOKEN, and send it")


def _is_on_this_host(request: Request) -> bool:
    """Whether the caller is a program here, and none that calls for others."""
    if any(header in request.headers for header in _FORWARDED):
        return False
    try:
        return ip_address(address_of(request) or "").is_loopback
    except ValueError:
        return False
