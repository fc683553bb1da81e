"""What of an extended manifest readers of the results need: where the parts are, and what their columns hold (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from batchscore.commit.manifest import stored_manifest
from batchscore.config.job_config import ModelType
from batchscore.errors import InputError
from batchscore.output.echoed_text import label_texts
from batchscore.output.parts import WrittenFile
from batchscore.output.paths import Outputs
from batchscore.output.result_text import BEST_ANSWER, PREDICTED_LABEL, STATUS, prediction_names

Kind = Literal["text", "label", "answer", "score"]
"""What a column holds: a text of the input or the status; the text of a predicted class; 0 or 1; a number."""


@dataclass(frozen=True)
class ResultPart(WrittenFile):
    """A part and how many records it has a line of."""

    record_count: int


@dataclass(frozen=True)
class ResultInput:
    """An input and the parts that came of it, in the order of its records."""

    uri: str
    parts: tuple[ResultPart, ...]


@dataclass(frozen=True)
class ResultModel:
    """The model as far as the columns tell of it; ``values`` are those of a regression of several."""

    type: ModelType
    classes: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultColumn:
    """A column of a result."""

    name: str
    kind: Kind


@dataclass(frozen=True)
class CommittedResults:
    """The results of a committed job; ``columns`` are the header.

    Manifests of batchscore 0.1 tell as much. ``multiclass_output`` and ``status_column`` are there where they are not
    the default.
    """

    id: str
    model: ResultModel
    threshold: float | None
    precision: Literal["amazon", "full"]
    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    record_count: int
    inputs: tuple[ResultInput, ...]
    multiclass_output: Literal["probabilities", "label"] = "probabilities"
    status_column: bool = False
    escape_formulas: bool = False

    @cached_property
    def typed_columns(self) -> tuple[ResultColumn, ...]:
        """The columns and what they hold: predictions are the last ones but for the status, before them texts."""
        told = self._predictions
        if self.status_column:
            told.append(ResultColumn(STATUS, "text"))
        echoed = self.columns[: len(self.columns) - len(told)]
        return (*(ResultColumn(name, "text") for name in echoed), *told)

    @property
    def predicts_label(self) -> bool:
        """Whether a record has the name of its class, in place of a probability for each."""
        return self.model.type == "multiclass" and self.multiclass_output == "label"

    @property
    def written_labels(self) -> dict[str, str]:
        """The classes of the model, and how a predicted one is written."""
        classes = self.model.classes
        return dict(zip(classes, label_texts(classes, escape_formulas=self.escape_formulas).to_pylist(), strict=True))

    @property
    def _predictions(self) -> list[ResultColumn]:
        model = self.model
        names = prediction_names(model.type, model.classes, model.values, names_label=self.predicts_label)
        kinds: dict[str, Kind] = {}
        if model.type == "binary":
            kinds = {BEST_ANSWER: "answer"}
        elif self.predicts_label:
            kinds = {PREDICTED_LABEL: "label"}
        return [ResultColumn(name, kinds.get(name, "score")) for name in names]


def read_results_manifest(content: bytes, uri: str, outputs: Outputs) -> CommittedResults:
    """Return the results that an extended manifest tells of; raises InputError, also for one that contradicts itself.

    What is read back is not trusted: parts lie where the id writes them, and nowhere else.
    """
    results = stored_manifest(CommittedResults, content, uri)
    if results.id != outputs.id:
        raise InputError(f"manifest {uri}: expected id {outputs.id}, got {results.id}")
    told = [column.name for column in results.typed_columns]
    if told != list(results.columns) or len(set(told)) < len(told):
        raise InputError(f"manifest {uri}: expected the columns of a {results.model.type} model, got others")
    parts = [part for item in results.inputs for part in item.parts]
    _check_places(parts, uri, f"{outputs.folder}/result/{outputs.id}-")
    counted = sum(part.record_count for part in parts)
    if counted != results.record_count:
        raise InputError(f"manifest {uri}: expected parts of {results.record_count} records, got {counted}")
    return results


def _check_places(parts: Sequence[ResultPart], uri: str, stem: str) -> None:
    named = Counter(part.uri for part in parts)
    if any(not name.startswith(stem) or "/../" in name for name in named):
        what = f"expected parts below {stem}, got others; read the results where the job wrote them"
        raise InputError(f"manifest {uri}: {what}")
    if len(named) < len(parts):
        raise InputError(f"manifest {uri}: expected parts that are named once, got some more than once")
