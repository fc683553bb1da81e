"""The states of a batch prediction, as Amazon ML names them (pure)."""

from __future__ import annotations

from typing import Literal, get_args

Status = Literal["PENDING", "INPROGRESS", "COMPLETED", "FAILED", "DELETED"]
STATUSES: tuple[str, ...] = get_args(Status)
