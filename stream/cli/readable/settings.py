"""Settings, and what others would change."""

from __future__ import annotations

from collections.abc import Sequence

from stream.cli.readable.values import Fields, count, fields, listed, rows

_MODE_DOES = {
    "live": "profiles are exported and customers' alerts sent from then on",
    "observe": "profiles are not exported and customers' alerts not sent any more",
}


def of_settings(answer: object) -> object:
    """The version, then the settings."""
    found = fields(answer)
    return {f"settings of {found.get('org')}, version {found.get('version')}": found.get("settings")}


def of_difference(answer: object) -> object:
    """A row per setting that differs."""
    found = fields(answer)
    return [
        {
            "setting": change.get("setting"),
            f"in force (version {found.get('version')})": change.get("inForce"),
            "in the file": change.get("file"),
        }
        for change in rows(found.get("changes"))
    ] or "the file says what is in force"


def effect_in_words(answer: object) -> str:
    """What other settings would change, as a few sentences."""
    found = fields(answer)
    told = _effect(fields(found["effect"])) if found.get("effect") else "Nobody's points, tier or verdict would change."
    return f"{told}{_mode(rows(found.get('changes')))}"


def _mode(changes: Sequence[Fields]) -> str:
    wanted = [str(change.get("file")) for change in changes if change.get("setting") == "mode"]
    return "".join(f" Mode {mode}: {_MODE_DOES.get(mode, 'as the file says')}." for mode in wanted)


def _effect(effect: Fields) -> str:
    looked_at = "" if effect.get("complete") else f"Of the first {count(effect.get('customers'))} customers: "
    told = (
        f"{looked_at}{count(effect.get('pointsChange'))} would have other points, "
        f"{count(effect.get('tiersChange'))} another tier; {count(effect.get('discrepanciesAppear'))} discrepancies "
        f"would appear, {count(effect.get('discrepanciesVanish'))} vanish."
    )
    uncounted = ", ".join(str(name) for name in listed(effect.get("notCounted")))
    return f"{told} Not counted, because it depends on single orders: {uncounted}." if uncounted else told
