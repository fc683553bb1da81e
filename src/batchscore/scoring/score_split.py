"""A split -> its part: read, parse, predict, format, write. Ordinary functions; a Spark task calls them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from batchscore.errors import TooManyInvalidRecordsError
from batchscore.input.binding import extra_columns
from batchscore.input.column_notes import missing_columns, repeated_columns
from batchscore.input.csv_lines import IntArray
from batchscore.input.files import InputFile, Split
from batchscore.input.parsed_block import RECORDS_TOGETHER, InvalidRecord, ParsedBlock
from batchscore.input.reader import UnparsedBlock
from batchscore.input.small_blocks import parse_together
from batchscore.input.unseen_texts import count_texts
from batchscore.model.frames import ModelRecords
from batchscore.model.missing_patterns import predict_table
from batchscore.model.predictor import FloatArray, Predictor
from batchscore.model.rowwise import TransformedRows, transform_together
from batchscore.output.echoed_text import escaped, row_ids
from batchscore.output.result_text import Answers, csv_lines, format_each, header_line
from batchscore.plan import JobSpec
from batchscore.profile.split_profile import ProfileTotals
from batchscore.scoring.scored_split import ScoredSplit
from batchscore.scoring.time_limit import time_limit

_RESULTS_TOGETHER = 8 * 1024 * 1024  # of many classes or values: each takes up to 20 bytes of text
# A call of the model for as many costs far more than what it prepares.
_MANY_RECORDS = 10_000
_MANY_BYTES = 1024 * 1024


Unparsed = tuple[ScoredSplit, Iterable[UnparsedBlock]]


def score_split(
    content: Iterator[UnparsedBlock], split: Split, source: InputFile, spec: JobSpec, predictor: Predictor
) -> ScoredSplit:
    """Score the records of a split, ``content``, as a reader reads them.

    Raises InputError, ModelError, BatchTimeoutError or TooManyInvalidRecordsError.
    """
    return score_together([(content, split, source)], spec, predictor)[0]


def score_together(
    splits: Sequence[tuple[Iterator[UnparsedBlock], Split, InputFile]], spec: JobSpec, predictor: Predictor
) -> list[ScoredSplit]:
    """Score splits to the same bytes as ``score_split`` does each alone.

    Small inputs that come after each other are parsed at once, and what of the model works row by row, its
    ``transform``, is called once for them.
    """
    form = spec.profile_format
    begun = [
        ScoredSplit(split, source, spec, profile=ProfileTotals(form) if form else None) for _, split, source in splits
    ]
    most = min(RECORDS_TOGETHER, max(_RESULTS_TOGETHER // max(len(spec.classes), len(spec.value_names), 1), 1))
    try:
        with _processor_time(begun):
            for scored in begun:
                if spec.config.layout == "parts" or scored.split.number == 0:
                    scored.part.write(header_line(spec.result_format))
            contents = [(scored, _read(scored, content)) for scored, (content, _, _) in zip(begun, splits, strict=True)]
            for inputs in _gathered(contents, most):
                _add_inputs(inputs, predictor, most)
    except BaseException:
        for scored in begun:
            scored.close()
        raise
    return begun


@contextmanager
def _processor_time(scored: Sequence[ScoredSplit]) -> Iterator[None]:
    """Count the processor's time inside, in equal shares."""
    started = time.process_time()
    yield
    for each in scored:
        each.compute_seconds = (time.process_time() - started) / len(scored)


def _read(scored: ScoredSplit, content: Iterator[UnparsedBlock]) -> Iterator[UnparsedBlock]:
    """Yield the blocks of a split, and note what its header shows."""
    spec = scored.spec
    for block in scored.clock.each("read", content):
        if block.is_first:
            scored.extra_columns = extra_columns(spec.columns, block.names or ())
            scored.missing_columns = missing_columns(spec.columns, block.binding)
            scored.repeated_columns = repeated_columns(spec.columns, block.names or ())
        yield block


def _gathered(contents: Sequence[Unparsed], most: int) -> Iterator[list[Unparsed]]:
    """Yield inputs in order: small ones together, as lists of all their blocks; any other by itself.

    No more than ``most`` records are together. A block is read with what stands around it in its input, in which a
    quoted value may have begun: so a part of an input is not put together with others.
    """
    together: list[tuple[ScoredSplit, list[UnparsedBlock]]] = []
    for scored, content in contents:
        blocks, is_whole = iter(content), scored.source.split_count == 1
        beginning = _beginning(blocks, most) if is_whole else []
        is_small = is_whole and not _are_many(beginning, most)
        if together and (not is_small or _are_many([*chain(*(some for _, some in together)), *beginning], most)):
            yield list(together)
            together.clear()
        if not is_small:
            yield [(scored, chain(_taken(beginning), blocks))]
        elif beginning:
            together.append((scored, beginning))
    if together:
        yield list(together)


def _beginning(blocks: Iterator[UnparsedBlock], most: int) -> list[UnparsedBlock]:
    """Take the blocks of an input until they are many; fewer are all of them."""
    taken: list[UnparsedBlock] = []
    while not _are_many(taken, most):
        one = list(islice(blocks, 1))
        if not one:
            break
        taken += one
    return taken


def _are_many(blocks: Sequence[UnparsedBlock], most: int) -> bool:
    if sum(block.size_in_bytes for block in blocks) > _MANY_BYTES:
        return True
    return sum(block.record_count for block in blocks) > min(_MANY_RECORDS, most)


def _taken(blocks: list[UnparsedBlock]) -> Iterator[UnparsedBlock]:
    """Yield blocks, each of which is let go when the next one is asked for."""
    while blocks:
        yield blocks.pop(0)


def _add_inputs(unparsed: Sequence[Unparsed], predictor: Predictor, most: int) -> None:
    """Score inputs: of a large one as many records at a time as fit, small ones together."""
    (scored, content), *others = unparsed
    clock = scored.clock
    if not others:
        for block in content:
            for parsed in clock.each("parse", block.parse(most)):
                records = _records(scored, parsed, predictor)
                _add_answered([_answered(scored, parsed, predictor, records, None)])
        return
    with clock("parse"):
        several = parse_together([list(blocks) for _, blocks in unparsed])
    blocks = [(scored, parsed) for (scored, _), some in zip(unparsed, several, strict=True) for parsed in some]
    inputs = [_records(scored, parsed, predictor) for scored, parsed in blocks]
    transformed: list[TransformedRows | None] = [None] * len(blocks)
    if predictor.transform and len(blocks) > 1:
        with clock("predict"), time_limit(scored.spec.config.batch_timeout_seconds):
            transformed = transform_together(predictor.transform, inputs)
    _add_answered(
        [
            _answered(scored, parsed, predictor, records, rows)
            for (scored, parsed), records, rows in zip(blocks, inputs, transformed, strict=True)
        ]
    )


def _records(scored: ScoredSplit, block: ParsedBlock, predictor: Predictor) -> ModelRecords:
    return ModelRecords(block.inputs, scored.spec.columns.inputs, scored.spec.model.tensor_dtype, predictor.categorical)


class _Answered(NamedTuple):
    """A block and what the model has answered for it: ``predictions`` for the records at ``lines``."""

    scored: ScoredSplit
    block: ParsedBlock
    lines: IntArray
    predictions: FloatArray
    invalid: list[InvalidRecord]


def _answered(
    scored: ScoredSplit,
    block: ParsedBlock,
    predictor: Predictor,
    records: ModelRecords,
    transformed: TransformedRows | None,
) -> _Answered:
    spec, clock = scored.spec, scored.clock
    left = max(spec.config.max_invalid_records - scored.invalid_record_count - len(block.invalid), 0)
    with clock("convert"):
        groups = list(records.groups()) if transformed is None else [(np.arange(len(records)), transformed)]
    with clock("predict"), time_limit(spec.config.batch_timeout_seconds):
        predictions, failures = predict_table(predictor, records, groups, left)
    invalid = block.invalid
    lines = block.lines
    if failures:
        failed = [failure.row for failure in failures]
        reasons = zip(lines[failed].tolist(), failures, strict=True)
        invalid = invalid + block.reject([(line, "model", failure.reason, None) for line, failure in reasons])
        lines, predictions = np.delete(lines, failed), np.delete(predictions, failed, axis=0)
    scored.invalid_record_count += len(invalid)
    _check_limit(scored.invalid_record_count, scored.source, spec)
    return _Answered(scored, block, lines, predictions, sorted(invalid, key=lambda record: record.line))


def _add_answered(answered: Sequence[_Answered]) -> None:
    """Write the results of blocks, and count what is in them."""
    if not answered:
        return
    scored = answered[0].scored
    with scored.clock("format"):
        texts = format_each(scored.spec.result_format, [_answers(some) for some in answered])
    for (scored, block, lines, predictions, invalid), text in zip(answered, texts, strict=True):
        if scored.profile:
            with scored.clock("profile"):
                scored.profile.count(block, lines, predictions)
        with scored.clock("write"):
            scored.part.write(text)
            if invalid:
                scored.reject(_rejected_lines(block, invalid, scored))
        scored.record_count += block.record_count
        scored.reasons.update(record.reason for record in invalid)
        scored.invalid_values.update(block.invalid_values)
        scored.texts.add(count_texts(block.values, scored.spec.vocabularies))


def _answers(answered: _Answered) -> Answers:
    _, block, lines, predictions, invalid = answered
    why = {record.line: record.reason for record in invalid} if answered.scored.spec.config.status_column else {}
    return Answers(block.record_count, lines, predictions, block.echoed, why)


def _check_limit(invalid: int, source: InputFile, spec: JobSpec) -> None:
    limit = spec.config.max_invalid_records
    if invalid > limit:
        raise TooManyInvalidRecordsError(
            f"input {source.source.uri}: expected at most {limit} invalid records in the job, got more in this file; "
            "see batchscore verify for the reasons, or raise max_invalid_records"
        )


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
