"""Reason codes in words (pure): what is wrong with such records, and what helps."""

from __future__ import annotations

from collections.abc import Mapping

from batchscore.input.columns import Column

_WORDS = {
    "blank": "blank lines",
    "too_long": "records longer than `max_record_bytes`",
    "encoding": "records that are not of the encoding",
    "unbalanced_quote": "records with quotes out of place",
    "line_end_in_quotes": "lines of quoted values that hold line ends",
    "column_count": "records with another number of values",
    "invalid_value": "values that cannot be read",
    "model_error": "records on which the model raises",
    "non_finite_score": "predictions that are no finite number",
    "not_a_probability": "predictions that are no probability",
}
_REMEDIES = {
    "blank": "remove the blank lines, or leave them: each has a blank line in the result",
    "too_long": "shorten the records, raise `max_record_bytes`, or see whether the line ends are newlines",
    "encoding": "name the encoding of the files with `encoding`, such as cp1252 or latin-1",
    "unbalanced_quote": "double the quotes within quoted values, and quote only whole values",
    "line_end_in_quotes": "there are no line ends inside values: `multiline: true` reads a file that has them",
    "column_count": "see whether `delimiter` is that of the files, and quote values that hold it",
    "invalid_value": "correct the values, name a marker of missing ones in `null_values`, or mend the column's type",
    "missing_value": "fill them, set `missing_values: auto`, or call it double in the signature of a pyfunc model",
    "empty": "see whether the model was trained with gaps there",
    "spaces": "`trim: true` drops them where they are not within quotes",
    "null_marker": "name it in `null_values` where it stands for a missing value",
    "model_error": "see whether the values are such as the model was trained on, or mend the model",
    "non_finite_score": "see whether the values are such as the model was trained on, or mend the model",
    "not_a_probability": "see whether `model_type` is that of the model, or mend the model",
}


def words_of(reason: str) -> str:
    """Return what such records are; a reason without words stands for itself."""
    return _WORDS.get(reason, f"records with {reason}")


def remedy_of(reason: str) -> str:
    """Return what helps against such records."""
    return _REMEDIES.get(reason, "see the rejected files")


def counted(reasons: Mapping[str, int]) -> str:
    """Return reasons with their numbers, the most frequent first."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{reason} {number}" for reason, number in ordered)


def what_empty_cells_become(column: Column) -> str:
    """Return what becomes of the empty cells of a column that do not make their record invalid."""
    if column.type != "string":
        return "the model gets them as missing"
    becomes = {"empty": "the empty text", "none": "None", "nan": "NaN"}[column.missing.text]
    advice = "" if column.missing.text == "empty" else "; a text vectoriser needs `missing_text: empty`"
    return f"the model gets {becomes}{advice}"
