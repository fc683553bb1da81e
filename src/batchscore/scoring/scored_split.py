"""What scoring a split has given: its part while it is written, and what is counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from batchscore.input.files import InputFile, Split
from batchscore.input.unseen_texts import TextTotals
from batchscore.output.gzip_part import GzipPart
from batchscore.output.parts import PartFile
from batchscore.output.rejected_files import REJECTED_HEADER
from batchscore.output.result_text import csv_lines
from batchscore.plan import JobSpec
from batchscore.profile.split_profile import ProfileTotals
from batchscore.scoring.stage_clock import StageClock
from batchscore.storage.factory import storage_for


@dataclass
class ScoredSplit:
    """What scoring a split has given, not stored yet."""

    split: Split
    source: InputFile
    spec: JobSpec
    part: GzipPart = field(default_factory=GzipPart)
    rejected: GzipPart | None = None
    record_count: int = 0
    invalid_record_count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    invalid_values: Counter[str] = field(default_factory=Counter)
    extra_columns: list[str] = field(default_factory=list)
    missing_columns: list[str] = field(default_factory=list)
    repeated_columns: dict[str, list[int]] = field(default_factory=dict)
    texts: TextTotals = field(default_factory=TextTotals)
    compute_seconds: float = 0.0
    clock: StageClock = field(default_factory=StageClock)
    profile: ProfileTotals | None = None

    def store(self) -> PartFile:
        """Write the part, and the rejected records if there are any; raises CommitError."""
        storage = storage_for(self.spec.config.output, self.spec.config.s3)
        name, number = self.source.name, self.split.number
        try:
            with self.clock("write"):
                rejected = None
                if self.rejected:
                    rejected = self.rejected.store(storage, self.spec.outputs.rejected(name, number))
                file = self.part.store(storage, self.spec.outputs.part(name, number, self.source.split_count))
        finally:
            self.close()
        return PartFile(
            split_index=self.split.index,
            file=file,
            record_count=self.record_count,
            invalid_record_count=self.invalid_record_count,
            invalid_values=dict(sorted(self.invalid_values.items())),
            invalid_reasons=dict(sorted(self.reasons.items())),
            rejected=rejected,
            extra_columns=self.extra_columns,
            missing_columns=tuple(self.missing_columns),
            repeated_columns=self.repeated_columns,
            texts=self.texts.sum(),
            compute_milliseconds=round(self.compute_seconds * 1000),
            seconds={stage: round(seconds, 6) for stage, seconds in self.clock.seconds.items()},
            profile=self.profile.sum().to_json() if self.profile else None,
        )

    def reject(self, lines: bytes) -> None:
        """Add lines to the rejected records; raises CommitError if there is no room for them."""
        if self.rejected is None:
            self.rejected = GzipPart()
            self.rejected.write(csv_lines([[name] for name in REJECTED_HEADER]))
        self.rejected.write(lines)

    def close(self) -> None:
        """Discard the files."""
        self.part.close()
        if self.rejected:
            self.rejected.close()
