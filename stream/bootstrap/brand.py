"""Access to the point of sale from the brand document in Firestore, where the configuration names one."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from stream.configuration import pos_config_from_brand
from stream.errors import ConfigurationError, Unreachable
from stream.ops.logging import hide, secrets_of
from stream.settings import AlleavesSettings, Configuration, FirestoreSettings, OrgConfiguration

if TYPE_CHECKING:
    from google.cloud.firestore import Client

READ_SECONDS = 15.0


def require_vendors(configuration: Configuration) -> None:
    """Every org must say how both vendors are reached. Raises ConfigurationError before anything is started."""
    if not configuration.orgs:
        raise ConfigurationError("no [[org]] is configured: see loyalty.example.toml")
    for org in configuration.orgs:
        if org.alleaves is None and org.brand_document is None:
            raise ConfigurationError(
                f"org {org.id!r} has neither [org.alleaves] nor brand_document: its point of sale is unknown"
            )
        if org.alpine_iq is None:
            raise ConfigurationError(f"org {org.id!r} has no [org.alpine_iq]: both vendors are needed to reconcile")
        if org.alleaves is None and configuration.firestore.project is None:
            raise ConfigurationError(
                f"org {org.id!r} names a brand_document, but firestore.project is not set: nobody knows where it is"
            )


async def with_brands(configuration: Configuration) -> Configuration:
    """The configuration with `alleaves` of every org; `[org.alleaves]` beats a brand document.

    Raises ConfigurationError for a document that is missing, forbidden or cannot be used, Unreachable when
    Firestore does not answer.
    """
    require_vendors(configuration)
    if all(org.alleaves is not None for org in configuration.orgs):
        return configuration
    orgs = await asyncio.to_thread(_read, configuration)
    return configuration.model_copy(update={"orgs": orgs})


def _read(configuration: Configuration) -> tuple[OrgConfiguration, ...]:
    """In a thread: Google's asynchronous client leaves its channel open."""
    with contextlib.closing(_client(configuration.firestore)) as client:
        return tuple(_with_brand(client, org) for org in configuration.orgs)


def _with_brand(client: Client, org: OrgConfiguration) -> OrgConfiguration:
    if org.alleaves is not None or org.brand_document is None:
        return org
    access = _pos_config(client, org.id, org.brand_document)
    hide([*secrets_of(access)])
    return org.model_copy(update={"alleaves": access})


def _pos_config(client: Client, org: str, path: str) -> AlleavesSettings:
    from google.api_core.exceptions import Forbidden, GoogleAPIError, Unauthenticated

    try:
        document = client.document(path).get(retry=None, timeout=READ_SECONDS)
    except (Forbidden, Unauthenticated) as error:
        raise ConfigurationError(
            f"Firestore refuses to show brand_document {path} of org {org!r}: {error.message}"
        ) from error
    except GoogleAPIError as error:
        raise Unreachable(f"brand_document {path} of org {org!r} cannot be read: {error}") from error
    if not document.exists:
        raise ConfigurationError(f"org {org!r}: there is no document {path} in Firestore. Correct brand_document.")
    try:
        return pos_config_from_brand(document.to_dict() or {})
    except ConfigurationError as error:
        raise ConfigurationError(f"org {org!r}, {path}: {error}") from error


def _client(settings: FirestoreSettings) -> Client:
    """Google's client; with FIRESTORE_EMULATOR_HOST set it goes to the emulator."""
    from google.auth.exceptions import GoogleAuthError
    from google.cloud.firestore import Client

    try:
        return Client(project=settings.project, database=settings.database)
    except GoogleAuthError as error:
        raise ConfigurationError(
            f"no Google credentials for Firestore project {settings.project}: {error} "
            "Set GOOGLE_APPLICATION_CREDENTIALS to a service account's key file."
        ) from error
