"""What causes are called where people read of them: pages and messages."""

from __future__ import annotations

from stream.contracts.cases import CauseKind

PROVIDER = "Alpine IQ"

CAUSES: dict[CauseKind, str] = {
    CauseKind.REDEMPTIONS: f"Redeemed at {PROVIDER}",
    CauseKind.ADJUSTMENTS: f"Adjusted by hand at {PROVIDER}",
    CauseKind.EXPIRY: f"Expired at {PROVIDER}",
    CauseKind.OTHER_MOVEMENTS: f"Otherwise moved at {PROVIDER}",
    CauseKind.PROVIDER_LAG: f"Recent orders that {PROVIDER} has not booked yet",
    CauseKind.REFUNDS_NOT_APPLIED: f"Refunds that {PROVIDER} has not applied",
    CauseKind.REMOVED_ORDERS: f"Orders gone here that {PROVIDER} still counts",
    CauseKind.PENDING_ORDERS: f"Orders not complete here that {PROVIDER} counts already",
    CauseKind.TAX_BASIS: f"{PROVIDER} counts another amount of each order",
    CauseKind.EQUITY_MULTIPLIER: "The social-equity multiplier",
    CauseKind.ROUNDING: f"{PROVIDER} rounds otherwise",
    CauseKind.ORDER_NOT_CREDITED: f"One order that {PROVIDER} may never have booked",
    CauseKind.UNEXPLAINED: "Not explained",
}


def lowered(text: str) -> str:
    """In the middle of a sentence; a name stays as it is."""
    return text if text.startswith(PROVIDER) else text[:1].lower() + text[1:]
