"""References to secrets, `env:NAME` and `file:PATH`, and what they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

REFERENCE = "a secret is a reference: env:NAME (an environment variable) or file:PATH (a file that holds only it)"


class References:
    """Resolves references against an environment; paths are relative to the folder of the configuration file."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def resolve(self, reference: object) -> str:
        """The secret. Raises ValueError for a literal one, and for a reference to nothing."""
        kind, colon, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
        if not colon or not name or kind not in ("env", "file"):
            raise ValueError(f"holds the secret itself; {REFERENCE}")
        secret = self._variable(name) if kind == "env" else self._content(name)
        if not secret:
            raise ValueError(f"{reference} is empty")
        return secret

    def _variable(self, name: str) -> str:
        if name not in self._environ:
            raise ValueError(f"the environment variable {name} is not set")
        return self._environ[name]

    def _content(self, name: str) -> str:
        path = self._folder / Path(name).expanduser()
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ValueError(f"the file {path} cannot be read: {reason}") from None
