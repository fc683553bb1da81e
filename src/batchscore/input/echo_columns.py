"""The columns of the inputs that are echoed with each prediction, in the order that the results have them in (pure)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from batchscore.input.roles import Roles

Role = Literal["row_id", "target"]

TAG = "tag"
TRUE_LABEL = "trueLabel"


@dataclass(frozen=True)
class EchoColumn:
    """A column whose texts stand beside the predictions.

    ``header`` is its name in the results, ``source`` its name in the inputs. ``is_numeric``: a schema calls it NUMERIC,
    so that a number in it is no formula. ``is_required``: a file without it is a fault; the cells of another that a
    file lacks are empty. ``role`` is what else the job takes it for.
    """

    header: str
    source: str
    is_numeric: bool = False
    is_required: bool = True
    role: Role | None = None


def echo_columns(roles: Roles, numeric_names: Collection[str] = ()) -> tuple[EchoColumn, ...]:
    """Return the row id, which a file must have, and the target, which it may lack, as results echo them."""
    told: list[tuple[str, str | None, bool, Role]] = [
        (TAG, roles.row_id, True, "row_id"),
        (TRUE_LABEL, roles.target, False, "target"),
    ]
    return tuple(
        EchoColumn(header, source, source in numeric_names, is_required, role)
        for header, source, is_required, role in told
        if source is not None
    )


def place_of(role: Role, columns: Sequence[EchoColumn]) -> int | None:
    """Return which of the columns has a role, None if none has."""
    return next((place for place, column in enumerate(columns) if column.role == role), None)
