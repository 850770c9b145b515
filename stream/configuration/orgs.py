"""What an org's part of the configuration becomes: the rules' settings, and access to the point of sale."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import AliasChoices, ValidationError

from stream.configuration.explain import wrong_keys
from stream.contracts import settings as rules
from stream.errors import ConfigurationError
from stream.settings import AlleavesSettings, Configuration, OrgConfiguration


def org_settings(org: OrgConfiguration) -> rules.OrgSettings:
    """Version 1 of the org's numbered settings, every default written out."""
    given = org.settings
    return rules.OrgSettings(
        accruals=(rules.Accrual(points_per_dollar=given.points_per_dollar, equity_multiplier=given.equity_multiplier),),
        tiers=tuple(
            rules.Tier(tier.id, tier.name, tier.threshold, tier.color, tier.benefits)
            for tier in sorted(given.tiers, key=lambda tier: tier.threshold)
        ),
        rounding=given.rounding,
        rounding_per=given.rounding_per,
        basis=given.basis,
        tolerance=rules.Tolerance(given.tolerance_percent, given.tolerance_floor_points, given.tolerance_cap_points),
        cases=rules.CaseRules(
            opens_after=given.case_opens_after,
            closes_percent=given.case_closes_percent,
            worsens_percent=given.case_worsens_percent,
            worsens_points=given.case_worsens_points,
            reminds_after_hours=given.case_reminds_after_hours,
        ),
        schedule=rules.Schedule(
            daily_at=None if given.daily_at == "never" else given.daily_at,
            intraday_minutes=given.intraday_minutes,
            deadline_minutes=given.deadline_minutes,
        ),
        compare=given.compare,
        mode=org.mode,
        currency=org.currency,
        time_zone=org.time_zone,
        settle_seconds=given.settle_seconds,
        statuses=rules.CAUTIOUS_STATUSES | {name.lower(): status for name, status in (given.statuses or {}).items()},
        equity_customers=org.equity.customers,
    )


def pos_config_from_brand(document: Mapping[str, object]) -> AlleavesSettings:
    """Access to the point of sale from `posConfig` of a brand document, whose secrets are literal.

    Keys that mean nothing here are left alone: the document belongs to others. Raises ConfigurationError that names
    every wrong key, never a value that may be secret.
    """
    given = document.get("posConfig")
    if not isinstance(given, Mapping):
        raise ConfigurationError(
            "the brand document has no posConfig. It needs at least username and password under posConfig; "
            "or write [org.alleaves] in loyalty.toml instead of brand_document."
        )
    known = {key: value for key, value in given.items() if key in _spellings() and value is not None}
    try:
        return AlleavesSettings.model_validate(known)
    except ValidationError as error:
        lines = "\n".join(f"  posConfig.{line}" for line in wrong_keys(error, AlleavesSettings, {}))
        raise ConfigurationError(f"the brand document's posConfig cannot be used:\n{lines}") from None


def org_of(configuration: Configuration, org: str | None) -> OrgConfiguration:
    """The org with that id; without an id the only one there is. Raises ConfigurationError."""
    if not configuration.orgs:
        raise ConfigurationError("no org is configured. Add [[org]] to loyalty.toml; loyalty.example.toml shows one.")
    ids = ", ".join(each.id for each in configuration.orgs)
    if org is None and len(configuration.orgs) > 1:
        raise ConfigurationError(f"several orgs are configured: name one with --org. There are: {ids}.")
    for each in configuration.orgs:
        if org in (None, each.id):
            return each
    raise ConfigurationError(f"there is no org {org!r} in the configuration. There are: {ids}.")


def _spellings() -> set[str]:
    aliases = [field.validation_alias for field in AlleavesSettings.model_fields.values()]
    choices = {str(choice) for alias in aliases if isinstance(alias, AliasChoices) for choice in alias.choices}
    return set(AlleavesSettings.model_fields) | choices
