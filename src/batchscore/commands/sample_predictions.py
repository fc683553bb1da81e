"""A few predictions of a sample, for people to see whether they make sense (pure): the first ones and the highest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from batchscore.commands.readable import table
from batchscore.input.numeric_lines import FloatArray
from batchscore.input.parsed_block import ParsedBlock
from batchscore.plan import JobSpec

SHOWN_OF_EACH = 3
_TAG_CHARACTERS = 40


@dataclass(frozen=True)
class SamplePrediction:
    """What the model predicts for a record of an input, the ``record`` counted from 1.

    ``tag`` is None where the job echoes none. ``label`` is the class of the score, of a multiclass model the best one;
    None for a regression, whose ``score`` is the first where it has several values.
    """

    uri: str
    record: int
    tag: str | None
    label: str | None
    score: float


@dataclass(frozen=True)
class SamplePredictions:
    """The first predictions of a sample, and the highest, these from the highest on; of equal ones the first."""

    first: tuple[SamplePrediction, ...] = ()
    highest: tuple[SamplePrediction, ...] = ()

    def __add__(self, later: SamplePredictions) -> SamplePredictions:
        """Return those of this sample and of a later one together."""
        highest = sorted((*self.highest, *later.highest), key=lambda item: -item.score)
        return SamplePredictions((self.first + later.first)[:SHOWN_OF_EACH], tuple(highest[:SHOWN_OF_EACH]))


NO_PREDICTIONS = SamplePredictions()


def predictions_shown(
    uri: str, records_before: int, block: ParsedBlock, predictions: FloatArray, failed: Sequence[int], spec: JobSpec
) -> SamplePredictions:
    """Return the predictions of a block to be shown; ``predictions`` are those of its valid records."""
    is_multiclass = spec.model_type == "multiclass"
    numbers = predictions if predictions.ndim == 2 else predictions[:, np.newaxis]
    scores = numbers.max(axis=1, initial=-np.inf) if is_multiclass else numbers[:, 0]
    rows = np.delete(np.arange(len(scores)), failed)
    highest = rows[np.argsort(-scores[rows], kind="stable")[:SHOWN_OF_EACH]]

    def shown(some: Sequence[int]) -> Iterator[SamplePrediction]:
        for row in some:
            line = int(block.lines[row])
            label = spec.classes[int(predictions[row].argmax())] if is_multiclass else spec.positive_label
            yield SamplePrediction(uri, records_before + line + 1, _tag(block, line, spec), label, float(scores[row]))

    return SamplePredictions(tuple(shown(rows[:SHOWN_OF_EACH].tolist())), tuple(shown(highest.tolist())))


def _tag(block: ParsedBlock, line: int, spec: JobSpec) -> str | None:
    tags = [texts for column, texts in zip(spec.columns.echoed, block.echoed, strict=True) if column.role == "row_id"]
    return str(tags[0][line].as_py()) if tags else None


def prediction_lines(found: SamplePredictions, spec: JobSpec) -> list[str]:
    """Return a table of the predictions shown; none where nothing could be predicted."""
    if not found.first:
        return []
    groups = (("first", found.first), ("highest", found.highest))
    items = [(name if place == 0 else "", item) for name, some in groups for place, item in enumerate(some)]
    named = [("tag", [item.tag for _, item in items])] if found.first[0].tag is not None else []
    named += [("class", [item.label for _, item in items])] if found.first[0].label is not None else []
    score = f"score_{spec.value_names[0]}" if spec.value_names else "score"
    rows = [
        [name, *(_printable(str(values[place])) for _, values in named), f"{item.score:.6g}", item.record, item.uri]
        for place, (name, item) in enumerate(items)
    ]
    return ["", *table(["predictions", *(title for title, _ in named), score, "record", "input"], rows)]


def _printable(text: str) -> str:
    """Return a text as a terminal can show it in one cell."""
    plain = "".join(character if character.isprintable() else "?" for character in text)
    return plain if len(plain) <= _TAG_CHARACTERS else f"{plain[:_TAG_CHARACTERS]}..."
