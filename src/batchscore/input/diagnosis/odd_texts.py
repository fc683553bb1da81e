"""Texts that look misread where the model does not show what it knows (pure): spaces around them, or a marker.

No record is invalid for them, so that nothing else would tell: each is one more text, and gets a prediction. The model
may have been trained so: they are told, and refused by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from batchscore.input.diagnosis.findings import are_nearly_all
from batchscore.input.diagnosis.reasons import remedy_of
from batchscore.input.diagnosis.sample_warnings import SampleWarning
from batchscore.input.unseen_texts import text_numbers

SPACES = "spaces"
_SURE_MARKERS = pa.array(["(null)", "?", "\\N"], pa.string())
_SPACED = r"^[ \t]|[ \t]$"


def odd_texts(column: pa.ChunkedArray) -> Counter[str]:
    """Count the texts of a column with spaces around them, and of each marker that can hardly mean anything else."""
    found = Counter[str]()
    for chunk in column.chunks:
        found[SPACES] += _count(chunk, pc.match_substring_regex(chunk.dictionary, _SPACED))
        for marker in chunk.dictionary.filter(pc.is_in(chunk.dictionary, _SURE_MARKERS)).to_pylist():
            found[marker] += _count(chunk, pc.equal(chunk.dictionary, marker))
    return +found


def _count(texts: pa.DictionaryArray, chosen: pa.Array) -> int:
    """Return how many of the texts are among those chosen of their dictionary."""
    return sum(text_numbers(texts, np.flatnonzero(chosen).tolist()))


def odd_text_warnings(column: str, odd: Mapping[str, int], value_count: int) -> Iterator[SampleWarning]:
    """Yield what is said of the odd texts among the values of a column; of spaces only where nearly all have some."""
    for what, number in sorted(odd.items()):
        if what == SPACES and not are_nearly_all(number, value_count):
            continue
        reason, words = (SPACES, "have spaces around them") if what == SPACES else ("null_marker", f"are {what}")
        remedy = remedy_of(reason)
        text = f"column {column}: {number} of {value_count} values read {words}; {remedy}"
        yield SampleWarning(text, column, number, value_count, reason, remedy)
