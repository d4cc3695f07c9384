"""What a page says was done just before it: only what stands here, so that no link can say more."""

TOLD: dict[str, str] = {
    "signed-in": "You are signed in.",
    "signed-out": "You are signed out.",
    "signed-out-everywhere": "You are signed out here and everywhere else.",
    "created": "The account is there. Its consumers need its token: get it, or keep it in a store.",
    "saved": "Saved.",
    "unchanged": "Nothing was to be changed.",
    "rotated": "Rotated: a new token is the current one.",
    "revoked": "Revoked: it works no more.",
    "revoked-all": "Every token is revoked. Rotating the account gives it a new one.",
    "deleted": "The account is deleted.",
    "synced": "The token is on its way to every store that lacks it.",
    "checked": "Every store was asked what it holds.",
    "rolled-forward": "It is on its way again.",
    "acknowledged": "Acknowledged: nobody is warned of older tokens' ends any more.",
    "paused": "Paused: nothing rotates on schedule until you resume it.",
    "resumed": "Resumed.",
    "token-revoked": "The token is revoked.",
    "approved": "The login is approved. You can go back to your terminal.",
}
