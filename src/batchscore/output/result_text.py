"""Predictions -> Amazon ML's CSV text (pure, vectorised)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.config.job_config import ModelType
from batchscore.input.csv_lines import IntArray, spread
from batchscore.input.echo_columns import TAG, TRUE_LABEL
from batchscore.output.echoed_text import EchoFormat, content_of, echoed_cells, label_cells, quoted

FloatArray = npt.NDArray[np.float64]
Precision = Literal["amazon", "full"]

_DIGITS = 7  # one before the point, six after
_TEN = np.uint32(10)
_DIGIT_ZERO = np.uint8(ord("0"))
# Beyond these exponents a power of ten is no longer exact enough to tell how the seventh digit rounds.
_PLAIN_EXPONENTS = 200
LONE_EMPTY_CELL = '""'  # a record of one empty cell: unquoted it would be an empty line, which readers drop
_NO_REASONS: Mapping[int, str] = {}
_UNSURE = 1e-6  # how near to a tie the eighth digit may be before Python's exact formatting decides


BEST_ANSWER, SCORE, PREDICTED_LABEL, STATUS = "bestAnswer", "score", "predictedLabel", "status"
COLUMN_NAMES = (TAG, TRUE_LABEL, BEST_ANSWER, SCORE)
"""The columns of results that are no class of a multiclass model."""
SCORED = "ok"
"""The status of a record with a prediction; that of another is its reason."""


def prediction_names(
    model_type: ModelType, classes: Sequence[str], value_names: Sequence[str], *, names_label: bool
) -> tuple[str, ...]:
    """Return the names of the prediction columns of a model."""
    if model_type == "multiclass":
        return (PREDICTED_LABEL, SCORE) if names_label else tuple(classes)
    if model_type == "binary":
        return (BEST_ANSWER, SCORE)
    return tuple(f"{SCORE}_{name}" for name in value_names) or (SCORE,)


@dataclass(frozen=True)
class ResultFormat(EchoFormat):
    """How the results of a job are written.

    ``classes`` are a multiclass model's columns, in the model's order; ``value_names`` name the values of a regression
    that gives several. ``names_label`` names the most probable class in place of the probabilities of all;
    ``tells_status`` says of each record whether it has a prediction, or why not.
    """

    model_type: ModelType
    classes: tuple[str, ...]
    threshold: float
    precision: Precision
    value_names: tuple[str, ...] = ()
    names_label: bool = False
    tells_status: bool = False

    @property
    def prediction_names(self) -> tuple[str, ...]:
        """The names of the prediction columns."""
        return prediction_names(self.model_type, self.classes, self.value_names, names_label=self.names_label)

    @property
    def header(self) -> tuple[str, ...]:
        """The names of all columns."""
        status = (STATUS,) if self.tells_status else ()
        return (*(column.header for column in self.echoed), *self.prediction_names, *status)


@lru_cache(maxsize=8)
def header_line(result: ResultFormat) -> bytes:
    """Return the header record."""
    return csv_lines([[name] for name in result.header])


def csv_lines(columns: Sequence[Sequence[str]]) -> bytes:
    """Return the records whose cells the columns hold, quoted where needed."""
    cells = [quoted(pa.array(column, pa.string())) for column in columns]
    return _joined_lines(pc.binary_join_element_wise(*cells, ","))


def format_scientific(values: FloatArray) -> pa.StringArray:
    """Format finite numbers as Java's ``DecimalFormat("0.######E0")`` does, half to even on the exact value.

    The same as ``m, e = f"{x:.6E}".split("E"); m.rstrip("0").rstrip(".") + "E" + str(int(e))`` for each.
    """
    if len(values) == 0:
        return pa.array([], pa.string())
    magnitudes = np.abs(values)
    mantissas, exponents, unsure = _decimal_parts(magnitudes)
    for place in np.flatnonzero(unsure):
        mantissas[place], exponents[place] = _exact_parts(float(magnitudes[place]))
    return _scientific_text(np.signbit(values), mantissas, exponents)


def _exact_parts(value: float) -> tuple[int, int]:
    """Return mantissa and exponent as Python rounds: from the exact value, half to even, as DecimalFormat does."""
    mantissa, exponent = f"{value:.{_DIGITS - 1}E}".split("E")
    return int(mantissa.replace(".", "")), int(exponent)


def _decimal_parts(
    values: FloatArray,
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Return seven-digit mantissas, exponents, and where double arithmetic cannot tell how to round.

    A value is mantissa * 10 ** (exponent - 6), the mantissa a whole number from 1,000,000 to 9,999,999. Zero is 0E0.
    """
    nonzero = values > 0
    safe = np.where(nonzero, values, 1.0)
    exponents = np.floor(np.log10(safe)).astype(np.int64)
    plain = np.abs(exponents) <= _PLAIN_EXPONENTS
    exponents = np.where(plain, exponents, 0)
    # The power and the product are rounded: of seven digits that is some 1e-9, far less than _UNSURE.
    scaled = np.where(plain, safe, 1.0) * np.power(10.0, (_DIGITS - 1) - exponents)
    # log10 may miss by one next to a power of ten: there the mantissa has a digit too few or too many
    rounded = np.rint(scaled)
    unsure = np.abs(np.abs(scaled - rounded) - 0.5) < _UNSURE
    unsure |= (scaled < 10 ** (_DIGITS - 1)) | (rounded >= 10**_DIGITS) | ~plain
    mantissas = np.where(nonzero & ~unsure, rounded, 0).astype(np.uint32)
    return mantissas, np.where(nonzero, exponents, 0), unsure & nonzero


def _scientific_text(
    negative: npt.NDArray[np.bool_], mantissas: npt.NDArray[np.uint32], exponents: npt.NDArray[np.int64]
) -> pa.StringArray:
    """Lay every number out at a fixed width, a row for each place, and keep the characters that it needs."""
    # Shape (14, numbers): sign, digit, point, six digits, E, sign of the exponent, three digits of the exponent.
    characters = np.empty((14, len(mantissas)), np.uint8)
    kept = np.ones(characters.shape, bool)
    characters[[0, 2, 9, 10]] = np.frombuffer(b"-.E-", np.uint8)[:, np.newaxis]
    kept[0] = negative
    # Digits from the last to the first; a digit is kept if it or one after it is no zero. The point is row 2, kept if
    # there is a digit after it; the digit before it always is.
    following = np.zeros(len(mantissas), bool)
    for row, digit in zip((8, 7, 6, 5, 4, 3, 1), _last_digits(mantissas, _DIGITS), strict=True):
        characters[row] = digit + _DIGIT_ZERO
        following |= digit > 0
        kept[row] = following
    kept[2] = kept[3]
    kept[1] = True
    kept[10] = exponents < 0
    sizes = np.abs(exponents).astype(np.uint32)
    kept[11] = sizes >= 100
    kept[12] = sizes >= 10
    for row, digit in zip((13, 12, 11), _last_digits(sizes, 3), strict=True):
        characters[row] = digit + _DIGIT_ZERO
    # The layout of an Arrow array: where each text ends, and the characters of all, read number by number.
    ends = np.zeros(len(mantissas) + 1, np.int32)
    np.cumsum(kept.view(np.uint8).sum(axis=0, dtype=np.uint8), out=ends[1:])
    return pa.StringArray.from_buffers(len(mantissas), pa.py_buffer(ends), pa.py_buffer(characters.T[kept.T]))


def _last_digits(values: npt.NDArray[np.uint32], count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield so many decimal digits, the last one first."""
    for _ in range(count):
        rest = values // _TEN  # of 32 bits, by one number: numpy's fast division, which divmod does not use
        yield (values - rest * _TEN).astype(np.uint8)
        values = rest


def format_numbers(values: FloatArray, precision: Precision) -> pa.StringArray:
    """Format finite numbers with at most six decimals, or in full: the shortest text that reads back the same."""
    if precision == "amazon":
        return format_scientific(values)
    return pa.array(values).cast(pa.string())


def format_predictions(
    result: ResultFormat,
    record_count: int,
    lines: IntArray,
    predictions: FloatArray,
    echoed: Sequence[pa.StringArray],
    reasons: Mapping[int, str] = _NO_REASONS,
) -> bytes:
    """Return one line of text for each of ``record_count`` records, in order.

    ``predictions`` has a row for each place of ``lines``, of shape (n,), or (n, classes) for multiclass, or (n, values)
    for several values; the other records are invalid, for ``reasons`` by line. ``echoed`` has a column for each of the
    format's, with a text for every record.
    """
    if len(echoed) != len(result.echoed):
        raise AssertionError(f"results: expected {len(result.echoed)} echoed columns, got {len(echoed)}")
    scored = [spread(cells, lines, record_count) for cells in _prediction_cells(result, predictions)]
    status = [_status_cells(reasons, lines, record_count)] if result.tells_status else []
    text = pc.binary_join_element_wise(*echoed_cells(result, echoed), *scored, *status, ",")
    # By now an invalid record's line is what is echoed and empty predictions: here it is made blank where it is to be
    # so, and quoted where its only cell would make it look so.
    if len(lines) < record_count and (not result.keep_tag or len(result.header) == 1):
        absent = np.ones(record_count, bool)
        absent[lines] = False
        text = pc.if_else(pa.array(absent), LONE_EMPTY_CELL if result.keep_tag else "", text)
    return _joined_lines(text)


class Answers(NamedTuple):
    """What ``format_predictions`` takes of a block of records, by the same names."""

    record_count: int
    lines: IntArray
    predictions: FloatArray
    echoed: Sequence[pa.StringArray]
    reasons: Mapping[int, str] = _NO_REASONS


def format_each(result: ResultFormat, blocks: Sequence[Answers]) -> list[bytes]:
    """Return the lines of each of some small blocks, formatted as one: that costs as much for two as for hundreds."""
    if len(blocks) == 1:
        return [format_predictions(result, *blocks[0])]
    # Block k has the lines from ends[k - 1] to ends[k] of all.
    ends = list(accumulate((block.record_count for block in blocks), initial=0))
    text = format_predictions(
        result,
        ends[-1],
        np.concatenate([block.lines + first for block, first in zip(blocks, ends, strict=False)]),
        np.concatenate([block.predictions for block in blocks]),
        [pa.concat_arrays(arrays) for arrays in zip(*(block.echoed for block in blocks), strict=True)],
        {line + first: why for block, first in zip(blocks, ends, strict=False) for line, why in block.reasons.items()},
    )
    line_ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))
    if len(line_ends) != ends[-1]:
        raise AssertionError(f"results: expected a line for each of {ends[-1]} records, got {len(line_ends)}")
    places = np.concatenate([[0], line_ends + 1])[ends].tolist()
    return [text[start:stop] for start, stop in pairwise(places)]


def _status_cells(reasons: Mapping[int, str], lines: IntArray, record_count: int) -> pa.StringArray:
    if len(lines) + len(reasons) != record_count:
        raise AssertionError(f"results: expected {record_count - len(lines)} reasons, got {len(reasons)}")
    words = [SCORED, *sorted(set(reasons.values()))]
    places = np.zeros(record_count, np.int64)
    places[list(reasons)] = [words.index(reason) for reason in reasons.values()]
    return pa.array(words).take(pa.array(places))


def _prediction_cells(result: ResultFormat, predictions: FloatArray) -> list[pa.StringArray]:
    if predictions.ndim == 2 and result.names_label:
        best = predictions.argmax(axis=1)  # of equal ones the first
        labels = label_cells(result.classes, escape_formulas=result.escape_formulas).take(pa.array(best))
        return [labels, format_numbers(predictions[np.arange(len(best)), best], result.precision)]
    if predictions.ndim == 2:
        return [format_numbers(column, result.precision) for column in np.ascontiguousarray(predictions.T)]
    scores = format_numbers(predictions, result.precision)
    if result.model_type == "regression":
        return [scores]
    return [pc.if_else(pa.array(predictions >= result.threshold), "1", "0"), scores]


def _joined_lines(texts: pa.StringArray) -> bytes:
    """Return the texts as lines: a list of one item, which holds all of them, joined by line ends."""
    if len(texts) == 0:
        return b""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
    together = pa.ListArray.from_arrays(pa.array([0, len(texts)], pa.int32()), texts)
    return content_of(pc.binary_join(together, "\n")) + b"\n"
