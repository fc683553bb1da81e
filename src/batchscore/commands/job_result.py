"""What a program gets of a job that is done: its record, manifest and predictions, read when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchscore.config.job_config import OutputConfig, S3Settings

if TYPE_CHECKING:
    from batchscore.commit.job_record import BatchPrediction
    from batchscore.results.predictions import Engine


@dataclass(frozen=True, repr=False)
class JobResult:
    """A job that is done.

    ``summary`` is what ``batchscore run`` prints: Amazon's record, counts, seconds and rates. ``output`` and ``s3`` say
    where its results lie and how they are reached.
    """

    id: str
    output: str
    summary: Mapping[str, Any] = field(compare=False)
    s3: S3Settings = field(default_factory=S3Settings)

    @cached_property
    def record(self) -> BatchPrediction:
        """The record of the job as it is stored, which ``batchscore describe`` prints; raises InputError."""
        from batchscore.commit.jobs import read_record

        return read_record(OutputConfig(output=self.output, s3=self.s3), self.id)

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """The extended manifest, as docs/output-contract.md describes it; raises InputError."""
        from batchscore.commit.manifest import stored_manifest
        from batchscore.output.paths import Outputs
        from batchscore.storage.factory import storage_for

        uri = Outputs(self.output, self.id, "parts").extended_manifest
        return stored_manifest(dict[str, Any], storage_for(uri, self.s3).read(uri), uri)

    def predictions(self, engine: Engine = "pandas", **options: Any) -> Any:
        """Return the results of the job: a row for each record, in order, as ``read_predictions`` does.

        ``options`` are its own: ``columns``, ``where``, ``threshold``, ``positions`` and ``spark``.
        """
        from batchscore import read_predictions

        return read_predictions(self.output, id=self.id, engine=engine, s3=self.s3, **options)

    def __repr__(self) -> str:
        """Show what people want to know, a line for each."""
        from batchscore.commands.readable import fields

        return "\n".join(fields(self._facts()))

    def _repr_html_(self) -> str:
        from batchscore.commands.notebook import facts_table

        return facts_table(f"batch prediction {self.id}", self._facts()[1:])

    def _facts(self) -> list[tuple[str, str]]:
        from batchscore.commands.job_text import completed_facts

        status, *others = completed_facts(self.summary)
        return [("id", self.id), status, ("model", self.summary["MLModelId"]), *others, ("next", "predictions()")]
