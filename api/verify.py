"""What gateways ask, as the OpenAPI document describes it; `fast_lane` answers before it gets here.

A method that these paths do not have is refused here.
"""

from typing import Any

from fastapi import APIRouter, Response

from api.callers import BEARER

router = APIRouter(prefix="/api/v1", tags=["verify"])

_ELSEWHERE = "this call is answered by the fast lane"
_FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["token"],
                    "properties": {
                        "token": {"type": "string", "minLength": 1, "description": "The token."},
                        "token_type_hint": {"type": "string", "description": "Not needed."},
                    },
                }
            }
        },
    }
}

_QUESTION: dict[str, Any] = {
    "parameters": [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {"type": "string", "maxLength": 500},
            "description": words,
        }
        for name, words in {
            "resource_type": "The type of what is to be done to.",
            "resource_fqn": "Its FQN.",
            "action": "What is to be done, as `<resource type>:<verb>`; all three or none.",
            "include": "`roles`: every role that the bearer holds, too; of verify alone.",
        }.items()
    ]
}


@router.get("/verify", dependencies=[BEARER], openapi_extra=_QUESTION)
def verify() -> dict[str, Any]:
    """Whose the bearer token is and until when it works; 401 says why it does not.

    With a resource and an action, 403 says that its bearer may not do it.
    """
    raise AssertionError(_ELSEWHERE)


@router.post("/introspect", dependencies=[BEARER], openapi_extra=_FORM)
def introspect() -> dict[str, Any]:
    """Whether the token in the form is active, as RFC 7662 says it.

    Whoever asks shows a token of their own, with `virtual-account:read` on the tenant.
    """
    raise AssertionError(_ELSEWHERE)


@router.get(
    "/forward-auth", dependencies=[BEARER], openapi_extra=_QUESTION, response_class=Response
)
def forward_auth() -> Response:
    """200 with whose the token is in headers `X-Keyturn-...`; 401 or 403 if it will not do.

    Any method, and any path below; the token may come as `X-API-Key` too.
    """
    raise AssertionError(_ELSEWHERE)
