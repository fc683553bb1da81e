"""Text encoders of scikit-learn pipelines, applied to the distinct values of a block.

OneHotEncoder and OrdinalEncoder look up every single text in a Python dictionary, which is most of the time that such a
pipeline takes. What they make of a value depends on its column and itself alone. So the fitted encoder is given each
distinct value once, and its rows are repeated by codes: those that pyarrow found while it parsed, where a column comes
as a pandas categorical, else pandas finds them. See docs/adr/0010.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

CodeArray = npt.NDArray[np.integer[Any]]


def encode_distinct_values(estimator: Any) -> frozenset[str]:
    """Let the text encoders of a fitted pipeline work on distinct values, and name the columns that only they read.

    Those may then be given as pandas categoricals. Other estimators, and encoders of a subclass, stay as they are.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    first: Any = estimator.steps[0][1] if type(estimator) is Pipeline else None
    if type(first) is not ColumnTransformer or not hasattr(first, "feature_names_in_"):
        return frozenset()
    names = list(first.feature_names_in_)
    encoded, others = set[str](), set[str]()
    for place, (name, transformer, columns) in enumerate(first.transformers_):
        chosen = chosen_names(columns, names)
        widths = _output_widths(transformer, len(chosen)) if chosen else None  # without columns it was never fitted
        if widths is not None:
            first.transformers_[place] = (name, DistinctValues(transformer, widths), columns)
            encoded.update(chosen)
        elif not (isinstance(transformer, str) and transformer == "drop"):
            others.update(chosen)
    return frozenset(encoded - others)


def chosen_names(columns: Any, names: Sequence[str]) -> list[str]:
    """Return the columns that a transformer reads: given by name, place, mask or slice."""
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, slice):
        bounds = [names.index(end) if isinstance(end, str) else end for end in (columns.start, columns.stop)]
        inclusive = int(isinstance(columns.stop, str))
        return list(names[bounds[0] : None if bounds[1] is None else bounds[1] + inclusive : columns.step])
    chosen = np.atleast_1d(np.asarray(columns))
    if chosen.dtype.kind in "iub":
        return [str(name) for name in np.asarray(names, object)[chosen]]
    return [str(name) for name in chosen]


def _output_widths(transformer: Any, column_count: int) -> tuple[int, ...] | None:
    """Return how many columns an encoder makes of each of its own; None for what is no encoder of single values."""
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

    steps = [step for _, step in transformer.steps] if type(transformer) is Pipeline else [transformer]
    *imputers, encoder = steps
    plain = all(
        type(imputer) is SimpleImputer and imputer.statistics_.shape == (column_count,) and not imputer.add_indicator
        for imputer in imputers
    )
    if not plain or any(_has_set_output(step) for step in (transformer, *steps)):
        return None
    if type(encoder) is OrdinalEncoder and encoder.n_features_in_ == column_count:
        return (1,) * column_count
    if type(encoder) is OneHotEncoder and encoder.n_features_in_ == column_count:
        widths = tuple(int(width) for width in getattr(encoder, "_n_features_outs", ()))
        return widths if len(widths) == column_count else None
    return None


def _has_set_output(step: Any) -> bool:
    return bool(getattr(step, "_sklearn_output_config", None))


@dataclass(frozen=True)
class DistinctValues:
    """Stands for a fitted encoder in its ColumnTransformer; ``widths`` are its output columns for each input column."""

    encoder: Any
    widths: tuple[int, ...]

    def transform(self, frame: pd.DataFrame) -> Any:
        """Return what the encoder would for (n, columns) values: (n, sum of widths), sparse if the encoder's are."""
        from scipy.sparse import issparse

        if len(frame) == 0:
            return self.encoder.transform(frame)
        columns = [_codes_and_values(frame.iloc[:, place]) for place in range(frame.shape[1])]
        # One frame for all columns, as the encoder takes it: shorter columns repeat their values to fill it.
        longest = max(len(values) for _, values in columns)
        distinct = {name: np.resize(values, longest) for name, (_, values) in zip(frame.columns, columns, strict=True)}
        encoded = self.encoder.transform(pd.DataFrame(distinct))
        codes = [code for code, _ in columns]
        if issparse(encoded):
            return _repeated_one_hot(encoded, codes, self.widths)
        ends = np.cumsum(self.widths)
        # Of each input column its own output columns, whose row of a record is the one of the record's code.
        return np.hstack(
            [encoded[:, end - width : end][code] for code, width, end in zip(codes, self.widths, ends, strict=True)]
        )


def _codes_and_values(column: pd.Series[Any]) -> tuple[CodeArray, npt.NDArray[Any]]:
    """Return the distinct values that occur in a column, and for each row the place of its own."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        given = column.to_numpy()
        codes, values = pd.factorize(given, use_na_sentinel=False)
        distinct = np.asarray(values)
        for code in np.flatnonzero(pd.isna(distinct)):  # pandas makes NaN of None, which an encoder may tell apart
            distinct[code] = given[np.argmax(codes == code)]
        return codes, distinct
    # pandas codes a missing value as -1: with one added it is the first of the known values.
    known = np.array([np.nan, *column.cat.categories], dtype=object)
    codes = column.cat.codes.to_numpy().astype(np.intp) + 1
    # A slice keeps the categories of the whole block: what does not occur must not be encoded, it could be refused.
    occurs = np.bincount(codes, minlength=len(known)) > 0
    # The new code of a value is the number of values before it that occur.
    return (np.cumsum(occurs) - 1)[codes], known[occurs]


def _repeated_one_hot(encoded: Any, codes: Sequence[CodeArray], widths: Sequence[int]) -> Any:
    """Repeat the rows of one-hot columns, at most one 1 for each value, in the order that the encoder would have."""
    from scipy.sparse import csr_matrix

    # ``ones`` has for each record and input column the output column of its 1, or -1: a value that the encoder ignores.
    table = encoded.tocsc()
    ends = np.cumsum(widths)
    ones = np.full((len(codes[0]), len(codes)), -1, np.int32)
    for place, (code, width, end) in enumerate(zip(codes, widths, ends, strict=True)):
        columns = table[:, end - width : end].tocoo()
        hot = np.full(table.shape[0], -1, np.int32)
        hot[columns.row] = columns.col + (end - width)
        ones[:, place] = hot[code]
    # Read row by row that is CSR itself: the columns of the 1s in order, and where each record's begin.
    present = ones >= 0
    starts = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
    values = np.ones(int(starts[-1]), encoded.dtype)
    return csr_matrix((values, ones[present], starts), shape=(len(ones), table.shape[1]))
