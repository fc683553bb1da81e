"""Texts that a model takes for values it has never seen: with spaces around them, or markers of missing ones (pure).

No record is invalid for them, so that nothing else would tell: each is one more text, and gets a prediction.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.cell_diagnosis import NULL_MARKERS
from batchscore.input.columns import Column, KnownTexts
from batchscore.input.findings import FaultKind, Finding, are_nearly_all
from batchscore.input.parsed_block import ParsedBlock
from batchscore.input.reasons import remedy_of
from batchscore.input.sample_warnings import SampleWarning

SPACES = "spaces"
_SURE_MARKERS = frozenset(("?", "\\N", "(null)"))
_SPACED = r"^[ \t]|[ \t]$"


def known_texts(encoded: Collection[str]) -> KnownTexts:
    """Return what is asked of the texts that a model knows in a column."""
    return KnownTexts(any(text != text.strip(" \t") for text in encoded), NULL_MARKERS.intersection(encoded))


def odd_texts(parsed: ParsedBlock, columns: Sequence[Column]) -> Counter[FaultKind]:
    """Count the texts with spaces around them, and null markers, that the model does not know, by column."""
    found = Counter[FaultKind]()
    if isinstance(parsed.inputs, np.ndarray):
        return found
    for column in columns:
        if column.type != "string":
            continue
        texts = parsed.inputs[column.name].combine_chunks().dictionary_encode()
        if column.known is None or not column.known.have_spaces:
            found[SPACES, column.name] = _count(texts, pc.match_substring_regex(texts.dictionary, _SPACED))
        markers = _SURE_MARKERS if column.known is None else NULL_MARKERS - column.known.markers
        for marker in _present(texts.dictionary, markers):
            found[marker, column.name] = _count(texts, pc.equal(texts.dictionary, marker))
    return +found


def _present(texts: pa.Array, markers: Collection[str]) -> list[str]:
    held = texts.filter(pc.is_in(texts, pa.array(sorted(markers), pa.string())))
    return sorted(held.to_pylist())


def _count(texts: pa.DictionaryArray, chosen: pa.Array) -> int:
    """Return how many of the texts are among those chosen of their dictionary."""
    indices = texts.indices.drop_null().to_numpy()
    return int(np.asarray(chosen)[indices].sum())


def faults_of(odd: Counter[FaultKind], columns: Sequence[Column]) -> dict[FaultKind, int]:
    """Return those that are a fault of the file if nearly all records have them: the model knows none such."""
    shown = {column.name for column in columns if column.known is not None}
    return {kind: number for kind, number in odd.items() if kind[0] == SPACES and kind[1] in shown}


def odd_text_warnings(findings: Sequence[Finding | None], columns: Sequence[Column]) -> list[SampleWarning]:
    """Return what all inputs show together, in the order of the columns."""
    present = [finding for finding in findings if finding is not None]
    of = sum(finding.record_count for finding in present)
    counts = Counter[FaultKind]()
    for finding in present:
        counts.update(finding.odd_texts)
    return [warning for column in columns for warning in _warnings(column, counts, of)]


def _warnings(column: Column, counts: Counter[FaultKind], of: int) -> Iterator[SampleWarning]:
    unknown = "" if column.known is None else ", which the model does not know"
    for (what, name), number in sorted(counts.items(), key=str):
        if name != column.name:
            continue
        if what != SPACES:
            remedy = remedy_of("null_marker")
            text = f"{name}: {number} of {of} are the marker {what}{unknown}; {remedy}"
            yield SampleWarning(text, name, number, of, "null_marker", remedy)
        elif column.known is not None or are_nearly_all(number, of):
            remedy = remedy_of(SPACES)
            text = f"{name}: {number} of {of} have spaces around them{unknown}; {remedy}"
            yield SampleWarning(text, name, number, of, SPACES, remedy)
