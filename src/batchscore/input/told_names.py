"""The key ``names``: the columns of files whose header does not tell them, held against what else does (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from batchscore.errors import ConfigError
from batchscore.input.header_names import near_names
from batchscore.input.roles import Roles


def check_names(names: Sequence[str], needed: Sequence[str], attributes: Sequence[str] | None) -> None:
    """Hold the key against a schema file's attributes, or without one the inputs that the model needs.

    Raises ConfigError.
    """
    if attributes is not None:
        _check_same(names, attributes)
        return
    missing = [name for name in needed if name not in names]
    if missing:
        near = near_names(missing, names)
        raise ConfigError(f"key names: expected all inputs of the model, got none named {', '.join(missing)}{near}")


def check_count(names: Sequence[str], input_count: int, roles: Roles) -> None:
    """Hold the key against a model whose inputs have no names; raises ConfigError."""
    taken = [name for name in names if name not in (roles.row_id, roles.target)]
    if len(taken) != input_count:
        raise ConfigError(
            f"key names: expected {input_count} columns beside row_id and target, since the model's inputs have no "
            f"names, got {len(taken)}"
        )


def _check_same(names: Sequence[str], attributes: Sequence[str]) -> None:
    remedy = "leave the key out, or make them the same"
    if len(names) != len(attributes):
        raise ConfigError(
            f"key names: expected the {len(attributes)} attributes of the schema file, got {len(names)} names; {remedy}"
        )
    for place, (name, attribute) in enumerate(zip(names, attributes, strict=True), 1):
        if name != attribute:
            raise ConfigError(
                f"key names: expected the attributes of the schema file in their order, {attribute} as column {place}, "
                f"got {name}; {remedy}"
            )
