"""Predictions and labels counted as a job counts them, without files, model or Spark."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from batchscore.config.missing_values import AS_PANDAS
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.echo_columns import echo_columns
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.roles import Roles
from batchscore.profile.document import JobTotals, profile_document
from batchscore.profile.format import ProfileFormat
from batchscore.profile.split_profile import ProfileTotals, SplitProfile

Floats = npt.NDArray[np.float64]

BINARY = ProfileFormat(
    kind="scores",
    model_type="binary",
    classes=("0", "1"),
    positive_label="1",
    threshold=0.5,
    value_names=(),
    meaning=None,
    columns=Columns((), echo_columns(Roles(None, "y")), None, has_header=True),
    label=Column("y", "double", missing=AS_PANDAS),
    text=TextFormat(),
    vocabularies={},
    lists_texts=True,
)
REGRESSION = replace(BINARY, model_type="regression", classes=(), positive_label=None)


def multiclass(*classes: str) -> ProfileFormat:
    """Return the format of a model of these classes."""
    return replace(BINARY, model_type="multiclass", classes=classes, positive_label=None)


def columns_of(form: ProfileFormat, *inputs: Column, **changed: Any) -> ProfileFormat:
    """Return a format of a job with inputs, of the kind ``full``."""
    return replace(form, kind="full", columns=replace(form.columns, inputs=inputs), **changed)


def block(count: int, labels: Sequence[str] | None, inputs: pa.Table | Floats | None = None) -> ParsedBlock:
    """Return so many valid records."""
    values = np.empty((count, 0)) if inputs is None else inputs
    return ParsedBlock(
        offset=0,
        line_starts=np.arange(count + 1),
        lines=np.arange(count),
        inputs=values,
        values=values,
        echoed=(pa.array([""] * count if labels is None else labels, pa.string()),),
        invalid=[],
        invalid_values=Counter(),
        data=b"",
    )


def split_profile(form: ProfileFormat, predictions: Any, labels: Any = None, inputs: Any = None) -> SplitProfile:
    """Return the counts of one split, as they come back from a receipt."""
    predictions = np.asarray(predictions, np.float64)
    texts = None if labels is None else [str(label) for label in labels]
    totals = ProfileTotals(form)
    totals.count(block(len(predictions), texts, inputs), np.arange(len(predictions)), predictions)
    return SplitProfile.from_json(totals.sum().to_json())


def merged(form: ProfileFormat, profiles: Sequence[SplitProfile]) -> ProfileTotals:
    """Return the sum of splits in their order."""
    totals = ProfileTotals(form)
    for profile in profiles:
        totals.add(profile)
    return totals


def document(form: ProfileFormat, predictions: Any, labels: Any = None, inputs: Any = None) -> dict[str, Any]:
    """Return the profile of a job of one split."""
    totals = merged(form, [split_profile(form, predictions, labels, inputs)])
    return profile_document(totals, JobTotals("id", len(predictions), 0, {}, {}, {}))
