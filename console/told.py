"""What a page says was done just before it: only what stands here, so that no link can say more."""

TOLD: dict[str, str] = {
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out here and everywhere else.",
    "registered": "They are registered, and active at once.",
    "invited": "The invitation is on its way by e-mail.",
    "roles-changed": "The roles are changed, with the next request.",
    "deactivated": "Nothing of theirs works any more.",
    "activated": "What was not revoked works again.",
    "user-deleted": "The person is deleted.",
    "token-revoked": "The token works no more.",
    "tokens-revoked": "None of their tokens works any more.",
    "approved": "The login is approved. You can go back to your terminal.",
}
