"""The columns that a job passes through: which ones they are, and what the results call them.

``all`` is what the first input's header tells; so it is decided in preflight, before the inputs are looked at.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from batchscore.config.values import ALL_COLUMNS
from batchscore.errors import ConfigError, InputError, ObjectChangedError, ObjectMissingError, TransientReadError
from batchscore.input.binding import bind, named_as_wanted
from batchscore.input.columns import Columns
from batchscore.input.echo_columns import EchoColumn
from batchscore.input.factory import job_reader
from batchscore.input.header_names import near_names, pandas_names
from batchscore.output.echoed_text import header_text
from batchscore.output.result_text import COLUMN_NAMES, PREDICTED_LABEL
from batchscore.plan import JobSpec, Plan

_MISFITS_PASSED_OVER = 16
_NUMBERS = {"double", "float", "long", "integer"}


class _FileNames(NamedTuple):
    """The columns of a file as the job names them and, in the same order, as the file does."""

    names: Sequence[str]
    told: Sequence[str]


def with_passed_columns(plan: Plan) -> Plan:
    """Return the plan with the columns that the keys ``passthrough`` and ``rename`` name.

    Where no input fits the job, and where none has a header, ``all`` is none; what does not fit is told by those who
    look at the inputs. Raises ConfigError, or InputError where an input cannot be read now.
    """
    spec = plan.spec
    asked, columns = spec.config.passthrough, spec.columns
    file = _file_names(plan) if asked else None
    if asked == ALL_COLUMNS:
        if file is None:
            return plan
        asked = tuple(name for name in file.names if name not in (columns.row_id, columns.target))
    _check_asked(asked, spec, file)
    headers = dict(zip(file.names, file.told, strict=True)) if file else {}
    numeric = _numeric_names(columns, file)
    passed = tuple(
        EchoColumn(_header(name, headers.get(name, name), spec), name, is_numeric=name in numeric) for name in asked
    )
    _check_headers(passed, spec)
    return replace(plan, spec=replace(spec, columns=replace(columns, echoed=(*columns.echoed, *passed))))


def _file_names(plan: Plan) -> _FileNames | None:
    """Return the columns of the files, None where each file has its own that need not be known, or none tells them."""
    columns, asked = plan.spec.columns, plan.spec.config.passthrough
    if columns.reads_header:
        return _first_names(plan) if asked == ALL_COLUMNS or columns.by_position else None
    if columns.names is None and asked == ALL_COLUMNS:
        raise ConfigError(
            "key passthrough: expected the names of the columns for all, got files without a header; name all columns "
            "in a schema file or by the key names, or list those to pass"
        )
    names = columns.names or [column.name for column in columns.inputs if not columns.by_position]
    return _FileNames(names, names)


def _first_names(plan: Plan) -> _FileNames | None:
    """Read the columns of the first input that has some and fits the job; a few that do not are passed over."""
    config, columns, misfits = plan.spec.config, plan.spec.columns, 0
    reader = job_reader(config, columns)
    renamed = tuple(EchoColumn(name, name, is_required=False) for name in config.rename)
    wanted = replace(columns, echoed=(*columns.echoed, *renamed))
    for item in plan.inputs:
        try:
            header = reader.columns(item) if item.source.size_in_bytes else None
            if header is None:
                continue
            bind(columns, header, item.source.uri)
        except (TransientReadError, ObjectMissingError, ObjectChangedError):
            raise
        except InputError:  # the look at all inputs, which comes next, meets it again and tells it with the others
            misfits += 1
            if misfits == _MISFITS_PASSED_OVER:
                return None
        else:
            return _FileNames(named_as_wanted(wanted, header, item.source.uri), pandas_names(header))
    return None


def _check_asked(asked: Sequence[str], spec: JobSpec, file: _FileNames | None) -> None:
    """Refuse columns that no file can have, and other names for columns that are not passed."""
    known = frozenset(asked if file is None or spec.columns.reads_header else file.names)
    if unknown := [name for name in asked if name not in known]:
        raise ConfigError(
            f"key passthrough: expected columns that have a name, got {', '.join(unknown)}, in files without a header, "
            "whose columns are those of the key names or of a schema file, without them the model's inputs alone"
            f"{near_names(unknown, known)}"
        )
    if stray := [name for name in spec.config.rename if name not in asked]:
        raise ConfigError(
            f"key rename: expected columns that are passed through, got {', '.join(stray)}{near_names(stray, asked)}; "
            "name them in passthrough too"
        )


def _numeric_names(columns: Columns, file: _FileNames | None) -> frozenset[str]:
    """Return the columns that hold numbers, as the schema file or the model says."""
    names: Sequence[str] = [column.name for column in columns.inputs]
    if columns.by_position:
        taken = file.names if file else []
        names = [name for name in taken if name not in (columns.row_id, columns.target)]
    told = zip(names, columns.inputs, strict=False)
    return columns.numeric_names.union(name for name, column in told if column.type in _NUMBERS)


def _header(name: str, told: str, spec: JobSpec) -> str:
    """Return what the results call a column: the name given, or the file's own, which is a text of its sender."""
    return spec.config.rename.get(name) or header_text(told, escape_formulas=spec.config.escape_formulas)


def _check_headers(passed: Sequence[EchoColumn], spec: JobSpec) -> None:
    """Refuse a name that another column of the results has, or that readers of results take for another."""
    own = {*COLUMN_NAMES, PREDICTED_LABEL, *spec.result_format.header}
    counts = Counter(column.header for column in passed)
    wrong = [column for column in passed if column.header in own or counts[column.header] > 1]
    if wrong:
        told = ", ".join(_told(column, own) for column in wrong)
        raise ConfigError(
            f"key passthrough: expected columns of names that nothing else in the results has, got {told}; the key "
            f"rename gives them others: rename: {_example(wrong[0], counts, own)}"
        )


def _told(column: EchoColumn, own: set[str]) -> str:
    name = column.source if column.source == column.header else f"{column.source} as {column.header}"
    return f"{name} (a name of the results' own)" if column.header in own else name


def _example(column: EchoColumn, counts: Mapping[str, int], own: set[str]) -> str:
    names = (f"{column.source}_{number or 'input'}" for number in range(len(counts) + len(own) + 1))
    free = next(name for name in names if name not in counts and name not in own)
    return f"{{{json.dumps(column.source, ensure_ascii=False)}: {json.dumps(free, ensure_ascii=False)}}}"
