"""What a page says was done just before it: only what stands here, so that no link can say more."""

TOLD: dict[str, str] = {
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out here and everywhere else.",
    "approved": "The login is approved. You can go back to your terminal.",
}
