"""Reading the configuration: from a file and the environment to `stream.settings.Configuration`."""

from stream.configuration.load import find, load
from stream.configuration.orgs import org_of, org_settings, pos_config_from_brand

__all__ = ["find", "load", "org_of", "org_settings", "pos_config_from_brand"]
