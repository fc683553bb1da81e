"""A split -> its part: read, parse, predict, format, write. Ordinary functions; a Spark task calls them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from batchscore.errors import TooManyInvalidRecordsError
from batchscore.input.binding import extra_columns
from batchscore.input.column_notes import missing_columns, repeated_columns
from batchscore.input.files import InputFile, Split
from batchscore.input.parsed_block import RECORDS_TOGETHER, InvalidRecord, ParsedBlock
from batchscore.input.reader import UnparsedBlock
from batchscore.input.unseen_texts import TextTotals, count_texts
from batchscore.model.frames import ModelRecords
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import Predictor
from batchscore.output.echoed_text import escaped, row_ids
from batchscore.output.gzip_part import GzipPart
from batchscore.output.parts import PartFile
from batchscore.output.rejected_files import REJECTED_HEADER
from batchscore.output.result_text import csv_lines, format_predictions, header_line
from batchscore.plan import JobSpec
from batchscore.profile.split_profile import ProfileTotals
from batchscore.scoring.stage_clock import StageClock
from batchscore.scoring.time_limit import time_limit
from batchscore.storage.factory import storage_for

_RESULTS_TOGETHER = 8 * 1024 * 1024  # of many classes or values: each takes up to 20 bytes of text


@dataclass
class ScoredSplit:
    """What scoring a split has given, not stored yet."""

    split: Split
    source: InputFile
    spec: JobSpec
    part: GzipPart = field(default_factory=GzipPart)
    rejected: GzipPart = field(default_factory=GzipPart)
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
                if self.invalid_record_count:
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

    def close(self) -> None:
        """Discard the files."""
        self.part.close()
        self.rejected.close()


def score_split(
    content: Iterator[UnparsedBlock], split: Split, source: InputFile, spec: JobSpec, predictor: Predictor
) -> ScoredSplit:
    """Score the records of a split, ``content``, as a reader reads them.

    Raises InputError, ModelError, BatchTimeoutError or TooManyInvalidRecordsError.
    """
    together = min(RECORDS_TOGETHER, max(_RESULTS_TOGETHER // max(len(spec.classes), len(spec.value_names), 1), 1))
    form = spec.profile_format
    scored = ScoredSplit(split, source, spec, profile=ProfileTotals(form) if form else None)
    started = time.process_time()
    try:
        if spec.config.layout == "parts" or split.number == 0:
            scored.part.write(header_line(spec.result_format))
        scored.rejected.write(csv_lines([[name] for name in REJECTED_HEADER]))
        for block in scored.clock.each("read", content):
            if block.is_first:
                scored.extra_columns = extra_columns(spec.columns, block.names or ())
                scored.missing_columns = missing_columns(spec.columns, block.binding)
                scored.repeated_columns = repeated_columns(spec.columns, block.names or ())
            for parsed in scored.clock.each("parse", block.parse(together)):
                _add_block(scored, parsed, predictor)
    except BaseException:
        scored.close()
        raise
    scored.compute_seconds = time.process_time() - started
    return scored


def _add_block(scored: ScoredSplit, block: ParsedBlock, predictor: Predictor) -> None:
    text, bad = _score_block(block, scored, predictor)
    with scored.clock("write"):
        scored.part.write(text)
        if bad:
            scored.rejected.write(_rejected_lines(block, bad, scored))
    scored.record_count += block.record_count
    scored.invalid_record_count += len(bad)
    scored.reasons.update(record.reason for record in bad)
    scored.invalid_values.update(block.invalid_values)
    scored.texts.add(count_texts(block.values, scored.spec.vocabularies))
    _check_limit(scored.invalid_record_count, scored.source, scored.spec)


def _check_limit(invalid: int, source: InputFile, spec: JobSpec) -> None:
    limit = spec.config.max_invalid_records
    if invalid > limit:
        raise TooManyInvalidRecordsError(
            f"input {source.source.uri}: expected at most {limit} invalid records in the job, got more in this file; "
            "see batchscore verify for the reasons, or raise max_invalid_records"
        )


def _score_block(block: ParsedBlock, scored: ScoredSplit, predictor: Predictor) -> tuple[bytes, list[InvalidRecord]]:
    spec, clock = scored.spec, scored.clock
    left = max(spec.config.max_invalid_records - scored.invalid_record_count - len(block.invalid), 0)
    records = ModelRecords(block.inputs, spec.columns.inputs, spec.model.tensor_dtype, predictor.categorical)
    with clock("convert"):
        groups = list(records.groups())
    with clock("predict"), time_limit(spec.config.batch_timeout_seconds):
        predictions, failures = predict_table(predictor, records, groups, left)
    invalid = block.invalid
    lines = block.lines
    if failures:
        failed = [failure.row for failure in failures]
        reasons = zip(lines[failed].tolist(), failures, strict=True)
        invalid = invalid + block.reject([(line, "model", failure.reason, None) for line, failure in reasons])
        lines, predictions = np.delete(lines, failed), np.delete(predictions, failed, axis=0)
    with clock("format"):
        why = {record.line: record.reason for record in invalid} if spec.config.status_column else {}
        text = format_predictions(spec.result_format, block.record_count, lines, predictions, block.echoed, why)
    if scored.profile:
        with clock("profile"):
            scored.profile.count(block, lines, predictions)
    return text, sorted(invalid, key=lambda record: record.line)


def _rejected_lines(block: ParsedBlock, invalid: list[InvalidRecord], scored: ScoredSplit) -> bytes:
    """Return the invalid records of a block as CSV; lines count from 1 within the part."""
    config = scored.spec.config
    places = np.array([record.line for record in invalid], np.int64)
    raw = [record.raw.decode(config.encoding, errors="backslashreplace") for record in invalid]
    if config.escape_formulas:
        raw = escaped(pa.array(raw, pa.string()), numeric=False).to_pylist()
    return csv_lines(
        (
            [str(scored.split.number)] * len(invalid),
            [str(scored.record_count + record.line + 1) for record in invalid],
            [str(record.offset) for record in invalid],
            row_ids(scored.spec.result_format, block.echoed, places),
            [record.stage for record in invalid],
            [record.reason for record in invalid],
            [record.attribute or "" for record in invalid],
            [""] * len(invalid) if config.redact else raw,
        )
    )
