"""The beginning of an input, or all of it, parsed and scored: what ``verify`` tells of its records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from batchscore.commands.review import Sample
from batchscore.commands.sample_predictions import NO_PREDICTIONS, SamplePredictions, predictions_shown
from batchscore.input.binding import Binding, extra_columns
from batchscore.input.column_notes import missing_columns, repeated_columns
from batchscore.input.columns import Column
from batchscore.input.csv_lines import TextFormat
from batchscore.input.diagnosis.cell_diagnosis import value_hints
from batchscore.input.diagnosis.explanation import LINES_LOOKED_AT, escape_mends
from batchscore.input.diagnosis.other_spellings import Beginning
from batchscore.input.factory import job_reader
from batchscore.input.files import InputFile
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.text_format import text_format_of
from batchscore.input.unseen_texts import TextTotals, count_texts
from batchscore.model.frames import ModelRecords
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import Predictor
from batchscore.plan import JobSpec

_MISSING = "missing_value"


def sample_input(
    source: InputFile, spec: JobSpec, predictor: Predictor, sample_bytes: int | None
) -> tuple[Sample, SamplePredictions]:
    """Parse and score the first ``sample_bytes`` of an input, or all; raises InputError or ModelError."""
    found, sampled, header_bytes = _Found(source.source.uri, spec), 0, 0
    extra, lacking, repeated, hints = list[str](), list[str](), dict[str, list[int]](), dict[str, str]()
    reader = job_reader(spec.config, spec.columns)
    for block in reader.read_beginning(source, sample_bytes):
        if block.is_first:
            extra, header_bytes = extra_columns(spec.columns, block.names or ()), block.offset
            lacking = missing_columns(spec.columns, block.binding)
            repeated = repeated_columns(spec.columns, block.names or ())
        sampled += block.size_in_bytes
        for parsed in block.parse():
            found.add(parsed, predictor, block.binding.column_count)
            hints = _value_hints(parsed, block.binding, spec) | hints
    content_bytes = reader.content_bytes(source.source)
    sample = Sample(
        uri=source.source.uri,
        size_in_bytes=source.source.size_in_bytes,
        record_count=found.records,
        estimated_records=_estimate(content_bytes, sample_bytes, found.records, sampled, header_bytes),
        invalid_reasons=dict(found.reasons),
        invalid_values=dict(found.values),
        missing_values=dict(found.missing),
        empty_values={name: number for name, number in found.empty.items() if name not in lacking},
        extra_columns=extra,
        mended_by_escape=dict(found.mended),
        missing_columns=lacking,
        repeated_columns=repeated,
        value_hints=hints,
        texts=found.texts.sum(),
    )
    return sample, found.predictions


@dataclass
class _Found:
    """What the records of an input show, added up while they are scored."""

    uri: str
    spec: JobSpec
    records: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    values: Counter[str] = field(default_factory=Counter)
    missing: Counter[str] = field(default_factory=Counter)
    empty: Counter[str] = field(default_factory=Counter)
    mended: Counter[str] = field(default_factory=Counter)
    texts: TextTotals = field(default_factory=TextTotals)
    predictions: SamplePredictions = NO_PREDICTIONS

    def add(self, parsed: ParsedBlock, predictor: Predictor, column_count: int) -> None:
        """Score some more records, and count what is wrong with them; raises ModelError."""
        spec, inputs = self.spec, self.spec.columns.inputs
        records = ModelRecords(parsed.inputs, inputs, spec.model.tensor_dtype, predictor.categorical)
        predicted, failures = predict_table(predictor, records, records.groups(), spec.config.max_invalid_records)
        failed = [failure.row for failure in failures]
        self.predictions += predictions_shown(self.uri, self.records, parsed, predicted, failed, spec)
        self.records += parsed.record_count
        self.reasons.update(record.reason for record in parsed.invalid)
        self.reasons.update(failure.reason for failure in failures)
        self.mended.update(_mended_by_escape(parsed, column_count, text_format_of(spec.config)))
        self.values.update(parsed.invalid_values)
        self.missing.update(item.attribute for item in parsed.invalid if item.attribute and item.reason == _MISSING)
        self.empty.update(_empty_cells(parsed, inputs))
        self.texts.add(count_texts(parsed.values, spec.vocabularies))


def _value_hints(parsed: ParsedBlock, binding: Binding, spec: JobSpec) -> dict[str, str]:
    """Return what reads the values that cannot be read, by column, tried on the first records that hold one."""
    text = text_format_of(spec.config)
    raws = (record.raw for record in parsed.invalid if record.reason == "invalid_value")
    lines = [raw.replace(b"\n", b" ").decode(text.encoding, "replace") for raw in islice(raws, LINES_LOOKED_AT)]
    return value_hints(Beginning(None, "", lines, binding, spec.columns, text)) if lines else {}


def _mended_by_escape(parsed: ParsedBlock, column_count: int, text: TextFormat) -> Iterator[str]:
    """Yield the reasons of the records that could be parsed with the key ``escape``."""
    for record in parsed.invalid:
        if record.stage == "parse" and escape_mends(record.raw, column_count, text):
            yield record.reason


def _empty_cells(parsed: ParsedBlock, columns: Sequence[Column]) -> Counter[str]:
    """Count the missing values of the valid records by column; values that cannot be read are none."""
    numbers = ModelRecords(parsed.inputs, columns).absent().sum(axis=0).tolist()
    counts = zip(columns, numbers, strict=True)
    return +Counter({column.name: number - _read_as_missing(parsed, column) for column, number in counts})


def _read_as_missing(parsed: ParsedBlock, column: Column) -> int:
    return parsed.invalid_values[column.name] if column.missing.invalid_is_missing else 0


def _estimate(size: int | None, sample_bytes: int | None, records: int, sampled: int, header_bytes: int) -> int | None:
    if sample_bytes is None or sampled == 0:
        return records
    if size is None:
        return records if sampled + header_bytes < sample_bytes else None
    return round(records * (size - header_bytes) / sampled)
