"""Which columns are row id and target: what the configuration and the schema file say of it (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from batchscore.errors import ConfigError


@dataclass(frozen=True)
class Roles:
    """The sources of the columns that are echoed as ``tag`` and as ``trueLabel``; None: there is none."""

    row_id: str | None = None
    target: str | None = None


NO_ROLES = Roles()


def roles_in_force(keys: Roles, file: Roles, inputs: Collection[str], columns: Collection[str] | None) -> Roles:
    """Return what the keys ``row_id`` and ``target`` and the schema file say together.

    ``inputs`` are the names of the model's inputs, ``columns`` all of a file where no header tells them, else None.
    Raises ConfigError with every fault of the keys at once.
    """
    together = Roles(keys.row_id or file.row_id, keys.target or file.target)
    faults = [
        *_disagreements(keys, file),
        *_misplaced(keys, together, inputs),
        *_unknown(keys, columns),
    ]
    if faults:
        raise ConfigError("; ".join(faults))
    return together


def _disagreements(keys: Roles, file: Roles) -> Iterator[str]:
    for key, named, word, told in (
        ("row_id", keys.row_id, "rowId", file.row_id),
        ("target", keys.target, "targetAttributeName", file.target),
    ):
        if named and told and named != told:
            yield f"key {key}: expected {told}, the {word} of the schema file, got {named}; name it in one of the two"


def _misplaced(keys: Roles, together: Roles, inputs: Collection[str]) -> Iterator[str]:
    if (keys.row_id or keys.target) and together.row_id == together.target:
        yield f"keys row_id and target: expected two columns, got {together.target} for both"
    if keys.target in inputs:
        yield (
            f"key target: expected a column that the model does not take, got its input {keys.target}; a model that "
            "is given the label has learnt to repeat it: leave the key out, or train it without this column"
        )


def _unknown(keys: Roles, columns: Collection[str] | None) -> Iterator[str]:
    for key, named in (("row_id", keys.row_id), ("target", keys.target)):
        if named and columns is not None and named not in columns:
            yield (
                f"key {key}: expected a column that has a name, got {named}, in files without a header, whose columns "
                "are those of the key names or of a schema file, without them the model's inputs alone; name all "
                "columns in a schema file or by the key names"
            )
