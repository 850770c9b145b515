"""One site for all tests of this folder that need a running one: it takes a while to start."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from google.cloud.firestore import Client

from tests.end_to_end.site import FOREIGN, LIVE, WATCHED, Site, Vendors

KILLS = 3


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, kafka: str, firestore_emulator: str) -> Iterator[Site]:
    """Up and running, its first runs ended although the poller was killed again and again while it walked."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FIRESTORE_EMULATOR_HOST", firestore_emulator)
    dice = random.Random()
    vendors = Vendors(tmp_path_factory.mktemp("vendors"), "--seed", "11")
    others = Vendors(tmp_path_factory.mktemp("others"), "--seed", "12", "--customers", "300", "--hostile")
    folder = tmp_path_factory.mktemp("site") / "here"
    site = Site(folder, vendors, others, kafka, f"e2e-{dice.randrange(10**9)}.", firestore_emulator)
    try:
        _written_by_others(site)
        site.start()
        site.kill_poller_while_it_walks(KILLS, dice)
        for org in (LIVE, WATCHED):
            assert site.up is not None
            site.up.until(lambda run=f"{org}:daily:first": site.outcome(run) is not None, 90)
        yield site
    finally:
        for program in (site.up, vendors.program, others.program):
            if program is not None:
                program.stop()
        patch.undo()


def _written_by_others(site: Site) -> None:
    """The brand document, and fields of others in documents that will be ours too."""
    client = Client(project=site.project)
    shop = site.others.about["alleaves"]
    pos_config = {
        "provider": "alleaves",
        "storeId": "1000",
        "username": shop["username"],
        "password": shop["password"],
        "pin": shop["pin"],
        "environment": "sandbox",
        "baseUrl": shop["base_url"],
    }
    client.document("brands/watched").set({"name": "Example", "posConfig": pos_config})
    for customer in _samples(site):
        client.document(f"customers/{LIVE}_{customer}").set(FOREIGN)
    client.close()


def _samples(site: Site) -> tuple[int, int]:
    world = site.vendors.about["world"]
    return world["sample_customer_id"], world["sample_member_id"]
