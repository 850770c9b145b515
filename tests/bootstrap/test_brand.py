"""Access to the point of sale from a brand document, in a real Firestore (the emulator)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from google.cloud.firestore import Client

from stream.bootstrap.brand import with_brands
from stream.errors import ConfigurationError
from stream.settings import Configuration

POS = {"provider": "alleaves", "storeId": "1000", "locationId": "1000", "username": "u", "password": "p4ss", "pin": "1"}


def configured(project: str, **org: object) -> Configuration:
    alpine = {"uid": "1", "api_key": "k"}
    document = {"id": "brand_example", "brand_document": "brands/brand_example", "alpine_iq": alpine, **org}
    return Configuration.model_validate({"firestore": {"project": project}, "org": [document]})


def put(project: str, document: Mapping[str, object]) -> None:
    client = Client(project=project)
    client.document("brands/brand_example").set(dict(document))
    client.close()


async def test_the_point_of_sale_is_read_from_the_brand_document(firestore_project: str) -> None:
    put(firestore_project, {"name": "Example", "posConfig": {**POS, "environment": "production"}})
    (org,) = (await with_brands(configured(firestore_project))).orgs
    assert org.alleaves is not None
    assert (org.alleaves.username, org.alleaves.location_ids, org.alleaves.store_id) == ("u", ("1000",), "1000")
    assert org.alleaves.password.get_secret_value() == "p4ss"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "there is no document brands/brand_example in Firestore"),
        ({"name": "Example"}, "the brand document has no posConfig"),
        ({"posConfig": {"username": "u"}}, "posConfig.password: is missing"),
    ],
)
async def test_a_document_that_cannot_be_used_is_a_configuration_error(
    firestore_project: str, document: Mapping[str, object] | None, said: str
) -> None:
    if document is not None:
        put(firestore_project, document)
    with pytest.raises(ConfigurationError, match=said):
        await with_brands(configured(firestore_project))


async def test_what_the_file_says_beats_the_document(firestore_project: str) -> None:
    written = configured(firestore_project, alleaves={"username": "file", "password": "x"})
    assert await with_brands(written) is written
