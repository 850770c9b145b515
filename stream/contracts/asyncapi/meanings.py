"""What fields mean, in the words of `docs/subscribers.md` (a test compares them). Markdown."""

from __future__ import annotations

EPOCH = "orders what is said of a customer; compared before `version`"
VERSION = "orders what is said of a customer within one `epoch`"

EVENT = {
    "type": "the kind of `data`: `Profile`, `PointsEntry`, `Case`",
    "v": "version of the envelope; absent: 1",
    "id": "only on internal records that exist once in every partition",
    "org": "the org's id",
    "customer": "the point of sale's customer id",
    "at": "when what is said was true: for vendor data, when it was asked for",
    "source": "who says so, e.g. `accounts/3`",
    "data": "what is said",
}
PROFILE = {
    "points": "the provider's balance where it is known, however old, else `points_from_orders`",
    "points_from_orders": "what the orders earn by the org's rules; never negative",
    "points_from_alpine": "the provider's balance; absent: unknown",
    "calculated_at": "time of the fact that this profile includes last",
    "tier": "name of the tier: the provider's where it gives one, else that of `points`",
    "tier_source": "`alpine_iq` where `points` are the provider's, else `calculated`",
    "verdict": (
        "of the last run: `matched`, `discrepancy`, `timing`, `not_enrolled`, `ambiguous`, `unknown`, "
        "`missing_internal`"
    ),
    "discrepancy": "provider − ours as of now, where both are known; the verdict is of the last run",
    "alpine_user_id": "the provider's contact id",
    "total_spent_minor": "spend that counts; may be negative (refunds)",
    "currency": "ISO 4217",
    "order_count": "orders that count",
    "balance_as_of": "when the provider's balance was observed",
    "home_location": "the customer's location at the point of sale",
    "moved_points": "sum of the provider's known redemptions, adjustments and expiries, signed; absent: none is known",
    "redeemed_points": "the part of `moved_points` that was redeemed; absent: none is known",
    "adjusted_points": "the part that was adjusted by hand; absent: none is known",
    "expired_points": "the part that expired; absent: none is known",
    "equity": "the org's social-equity multiplier applies; absent: no",
    "tier_differs": "the provider's points give another tier than ours, as of now; absent: no",
    "matched_by": "what the provider's contact was found by: `code`, `phone`, `email`; absent: none was found",
    "settings_version": "number of the settings that the points were computed with",
    "epoch": EPOCH,
    "version": VERSION,
    "export": "false while the org only observes: such a profile is not exported",
}
POINTS_ENTRY = {
    "id": "the same whenever the same fact is applied again",
    "cause": (
        "`order_added`, `order_changed`, `order_removed`, `order_moved_away`, `equity_changed`, `settings_changed`"
    ),
    "delta_minor": "how the counted spend moved",
    "delta_points": "how the points from orders moved; 0 is an entry, too",
    "points_after": "points from orders afterwards",
    "tier": "the tier of `points_after`",
    "settings_version": "number of the settings in force",
    "order": "the order's id, where the cause is an order",
    "amount_minor": "what the order counts now",
    "ordered_at": "when the point of sale made the order, perhaps long before it was read (UTC milliseconds)",
    "why_not": (
        "why it counts nothing: `cancelled`, `pending`, `unpaid`, `walk_in`, `other_currency`, `no_tax`, "
        "`no_subtotal`, `removed`, `moved_away`; absent: it counts"
    ),
    "epoch": EPOCH,
    "version": VERSION,
}
CASE = {
    "id": "`org:customer:number`",
    "number": "a customer's cases are counted from 1",
    "state": "`open`, `acknowledged`, `resolved`",
    "opened_at": "when the first discrepancy of this case was seen",
    "ours": "our points that the last run compared",
    "provider": "the provider's points that the last run compared",
    "difference": "provider − ours",
    "alerted_points": "the difference that people were last told",
    "alerted_at": "when they were told",
    "tier_differs": "the provider's points give another tier than ours; absent: no",
    "resolved_at": "when it ended",
    "resolved_as": "how it ended: `agreed`, `accepted`, `closed`, `not_comparable`",
    "assigned_to": "who looks after it",
    "silenced_until": "no alerts about the case before",
    "accepted": "the last acceptance of a difference",
    "causes": "what likely explains `difference`, in points that add up to it",
    "history": "its steps; at most 50, the first and the newest",
    "steps": "how many there have been in all",
    "epoch": EPOCH,
    "version": VERSION,
}
CASE_STEP = {
    "what": (
        "`opened`, `reopened`, `changed`, `worsened`, `reminded`, `acknowledged`, `accepted`, `silenced`, `noted`, "
        "`assigned`, `resolved`, `declined`; there may be others"
    ),
    "at": "when",
    "by": "a run or a person",
    "ours": "our points then",
    "provider": "the provider's points then",
    "note": "what was said with it",
    "points": "the signed difference that was accepted",
    "until": "end of an acceptance or a silence",
    "to": "who looks after the case from now on",
}
CAUSE = {
    "kind": (
        "`redemptions`, `adjustments`, `expiry`, `other_movements`, `provider_lag`, `refunds_not_applied`, "
        "`removed_orders`, `pending_orders`, `tax_basis`, `equity_multiplier`, `rounding`, `order_not_credited`, "
        "`unexplained`"
    ),
    "points": "its signed part of provider − ours",
    "orders": "the orders that fit, newest first, at most ten",
    "count": "how many orders or movements it rests on in all",
    "detail": "which amount, whether applied or not, or how it is rounded",
}
ACCEPTED = {
    "points": "the signed difference (provider − ours) that a person declared right",
    "by": "who",
    "at": "when",
    "reason": "why",
    "until": "until when; absent: for good",
}
ALERT = {
    "kind": "what happened, the last part of `ce_type`",
    "org": "the org's id",
    "customer": "the customer's id, where the alert is about one",
    "case": "the case's id, where the alert is about one; as `ce_caseid`",
    "sequence": "a later alert of a case has a higher one; as `ce_sequence`",
    "ours": "points that the orders earn, as compared",
    "provider": "points that the provider says, as compared",
    "difference": "provider − ours",
    "tier_ours": "the tier of `ours`",
    "tier_provider": "the tier of `provider`",
    "causes": "what likely explains the difference, in points that add up to it",
    "reason": (
        "in words; of `discrepancy.resolved` how: `agreed`, `accepted`, `closed`, `not_comparable`; of a case that "
        "opens again, why"
    ),
    "run": "the run that found it",
}
MEANINGS = {
    "Event": EVENT,
    "Profile": PROFILE,
    "PointsEntry": POINTS_ENTRY,
    "Case": CASE,
    "CaseStep": CASE_STEP,
    "Cause": CAUSE,
    "AcceptedDifference": ACCEPTED,
    "Alert": ALERT,
}
"""Struct → field → meaning."""

HEADERS = {
    "ce_specversion": "version of CloudEvents",
    "ce_id": "the same whenever the same alert is made or published again",
    "ce_source": "the org",
    "ce_type": "`com.loyaltystream.` and the kind",
    "ce_subject": "whom it is about",
    "ce_time": "when what is said was true (RFC 3339, UTC)",
    "ce_dataschema": "the `$id` of the value's schema: kind and major version",
    "ce_caseid": "the case's id; only where the alert is about one",
    "ce_sequence": "ten digits: a later alert of the same case has a higher one; only with `ce_caseid`",
    "ce_isreplay": "`true`: published once more, on request; else `false`",
    "content-type": "of the value",
}
"""Header of an alert → meaning."""
