"""What to say of an argument that is no ``key=value``: what was meant (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

_CONFIGURATION = re.compile(r"(?i).*\.(ya?ml|json)|.*[/\\].*|[a-z0-9]+:.*", re.DOTALL)


def hint_for_argument(arguments: Sequence[str], place: int, known_keys: Sequence[str]) -> str:
    """Return how the message of a stray argument goes on; nothing where nothing better can be said."""
    argument = arguments[place]
    before = arguments[place - 1] if place else ""
    following = arguments[place + 1] if place + 1 < len(arguments) else ""
    if argument == "=" or argument.startswith("=") or before == "=" or following.startswith("="):
        return "; key=value has no spaces"
    if before.endswith("=") and before.removesuffix("=") in known_keys:
        return f"; a value follows its = without a space, and one with spaces is quoted: '{before}...'"
    if argument in known_keys:
        return f"; write {argument}=VALUE, in one word"
    if before in known_keys:
        return f"; write {before}=VALUE, in one word"
    if _CONFIGURATION.fullmatch(argument):
        return "; a configuration file is given as --config FILE"
    return ""
