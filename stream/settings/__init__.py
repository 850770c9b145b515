"""The configuration: what `loyalty.toml` and the environment may say, with defaults, and nothing else.

`stream.configuration.load` reads it. In a file secrets are references, `env:NAME` or `file:PATH`, resolved once
while loading; what is validated without a `SecretSource` as context (a brand document, a test) holds them as they
are. `loyalty.example.toml` explains every key.
"""

from stream.settings.configuration import Configuration, OrgConfiguration
from stream.settings.notifying import ChannelSettings, DiscordSettings, EmailSettings, QuietHours, WebhookSettings
from stream.settings.servers import FirestoreSettings, KafkaSettings, SmtpSettings, WebSettings
from stream.settings.vendors import AlleavesSettings, AlpineIQSettings, EquitySettings

__all__ = [
    "AlleavesSettings",
    "AlpineIQSettings",
    "ChannelSettings",
    "Configuration",
    "DiscordSettings",
    "EmailSettings",
    "EquitySettings",
    "FirestoreSettings",
    "KafkaSettings",
    "OrgConfiguration",
    "QuietHours",
    "SmtpSettings",
    "WebSettings",
    "WebhookSettings",
]
