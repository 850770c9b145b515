"""Where a message's links lead: the pages of cases. Pure."""

from __future__ import annotations

from urllib.parse import quote


def cases_page(pages: str, org: str) -> str:
    """The org's cases, on pages at the address `pages`."""
    return f"{pages.rstrip('/')}/cases?org={org}"


def case_page(cases: str | None, case: str | None) -> str | None:
    """One case (`org:customer:number`), given where all of them are; None where either is unknown."""
    if cases is None or case is None or case.count(":") != 2:
        return None
    path, question, query = cases.partition("?")
    _, customer, number = case.split(":")
    return f"{path}/{quote(customer, safe='')}/{quote(number, safe='')}{question}{query}"
