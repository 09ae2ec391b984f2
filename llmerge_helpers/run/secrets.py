"""Secrets: read from the environment or Colab, and masked wherever text leaves this process."""

from __future__ import annotations

import logging
import os
import re
import sys

_COLAB_SECRETS: set[str] = set()


_WITH_PASSWORD = re.compile(r"://[^/\s@:]*:[^/\s@]+@|://[^/\s@:]{12,}@")


_LOOKS_SECRET = re.compile(r"\b(sk|hf|gh[pousr])[-_][A-Za-z0-9_\-]{12,}")


_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD)$")


def secret(name: str) -> str | None:
    """The secret called `name` from the environment, then from Colab's secrets; None where neither has it."""
    value = os.environ.get(name, "").strip()
    if not value and "google.colab" in sys.modules:
        try:
            from google.colab import userdata  # type: ignore[import-not-found]

            value = (userdata.get(name) or "").strip()
            _COLAB_SECRETS.add(value)
        except Exception:  # Colab raises its own kinds for "not there", "no access" and "not in the Colab page"
            value = ""
    return value or None


def redact(text: str) -> str:
    """`text` with every known secret, and everything that looks like one, masked.

    >>> redact("Authorization: Bearer sk-0123456789abcdef0123")
    'Authorization: Bearer ***'
    """
    known = {value for name, value in os.environ.items() if _SECRET_NAME.search(name)} | _COLAB_SECRETS
    # the longest first: one secret may be part of another; very short ones would mask ordinary words
    for value in sorted(known, key=len, reverse=True):
        if len(value) >= 8:
            text = text.replace(value, "***")
    return _LOOKS_SECRET.sub("***", text)


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))
