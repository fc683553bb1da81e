"""Nothing scored is no success: what a job and ``verify`` say of files that do not fit and models that fail."""

from __future__ import annotations

import gzip
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest
import yaml
from pyspark import TaskContext
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression

from batchscore.commands.review import Review
from batchscore.commands.verify import review_job
from batchscore.errors import BatchScoreError, InputError, ModelError, TooManyInvalidRecordsError
from batchscore.input.files import InputFile
from batchscore.plan import JobSpec
from batchscore.preflight import first_look
from batchscore.preflight.beginnings import Looked
from batchscore.spark import tasks
from batchscore.spark.tasks import look_at_inputs
from tests.registry import Registry, columns

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from tests.spark.conftest import Runner

Files = dict[str, str]
GOOD = "1.5,2\n"
NO_NUMBER = "abc,2\n"
EMPTY = ",2\n"


class Fussy(RegressorMixin, BaseEstimator):  # type: ignore[misc] # its library has no types
    """Adds x and y, but raises where its rule says so; each call leaves a file in its folder."""

    def __init__(self, calls: str, rule: Callable[[Any], bool]) -> None:
        self.calls = calls
        self.rule = rule

    def predict(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        Path(self.calls, f"{os.getpid()}-{time.monotonic_ns()}").touch()
        if self.rule(X):
            raise ValueError(f"secret {X}")
        return np.asarray(X["x"] + X["y"])


def _in_task(_: Any) -> bool:
    return TaskContext.get() is not None


@pytest.fixture(scope="module")
def adder(registry: Registry) -> str:
    model = LinearRegression().fit(pd.DataFrame({"x": [0.0, 1.0, 0.0], "y": [0.0, 0.0, 1.0]}), [0.0, 1.0, 1.0])
    return registry.register(model, signature=columns("x:double", "y:double"))


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    folder = tmp_path / "calls"
    folder.mkdir()
    return folder


@pytest.fixture
def fussy(registry: Registry, calls: Path) -> Callable[[Callable[[Any], bool]], str]:
    def register(rule: Callable[[Any], bool]) -> str:
        module = sys.modules[__name__]
        cloudpickle.register_pickle_by_value(module)
        try:
            return registry.register(Fussy(str(calls), rule), signature=columns("x:double", "y:double"))
        finally:
            cloudpickle.unregister_pickle_by_value(module)

    return register


def _write(folder: Path, files: Files, header: str = "x,y\n") -> str:
    folder.mkdir()
    for name, records in files.items():
        content = (header + records).encode()
        (folder / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return f"{folder}/"


def _verified(run: Runner, uri: str, **keys: Any) -> Review:
    settings = {"id": "job", "output": str(run.folder / "output")} | keys
    return review_job(run.registry.config(uri, **settings), run.folder / f"model-{time.monotonic_ns()}")


def _refused(run: Runner, uri: str, kind: type[BatchScoreError], **keys: Any) -> str:
    """Run a job and ``verify``, which must tell the same, and return the message."""
    review = _verified(run, uri, **keys)
    with pytest.raises(kind) as caught:
        run(uri, **keys)
    told = "\n".join(fault.what for fault in review.faults if fault.fatal)
    assert review.exit_code == caught.value.exit_code, told
    assert "secret" not in f"{caught.value} {told}"
    assert not run.job().path(".manifest.json").exists()
    return str(caught.value)


def _completes(run: Runner, uri: str, **keys: Any) -> tuple[int, int]:
    """Run a job and ``verify``, which must find it ready; return how many records it has and how many are invalid."""
    review = _verified(run, uri, **keys)
    job = run(uri, **keys)
    assert review.exit_code == 0, review.faults
    assert job.record["Status"] == "COMPLETED"
    return job.record["TotalRecordCount"], job.record["InvalidRecordCount"]


def _nothing_written(run: Runner) -> bool:
    return not (run.folder / "output" / "batch-prediction" / "job.json").exists()


# ---------------------------------------------------------------- (a) a fault of the file: exit 3, before it begins


@pytest.mark.parametrize(
    ("header", "records", "expected", "seen"),
    [
        ("x,y\n", "1;2\n" * 150, 'expected 2 values with "," between them, got 1, 1 too few,', 'delimiter: ";"'),
        ("x;y\n", "1;2\n" * 150, "columns that are not there: x, y", 'delimiter: ";"'),
        ("x\ty\n", "1\t2\n" * 3, "columns that are not there: x, y", "delimiter: \\t"),
        ("", "1,2\n" * 150, "columns that are not there: x, y", "`has_header: false`"),
        ("X,Y\n", "1,2\n" * 150, "columns that are not there: x, y", "upper and lower case"),
        ("x, y,y \n", "1,2,3\n" * 150, "expected each column once", "differ by spaces around their names"),
        ("x,y\n", "1,2,3\n" * 150, "got 3, 1 too many, in 150 of 150", "quotes around it"),
        ("x,y\n", "1,2,\n" * 150, "got 3, 1 too many, in 150 of 150", "each record ends with a delimiter"),
        ("x,y\n", '"1,5",2\n' * 150, "a double in x", "decimal commas"),
        ("x,y\n", '2,"1.234,5"\n' * 150, "a double in y", '`decimal: ","` and `thousands: "."`'),
        ("x,y\n", '"1,234,567.5",2\n' * 150, "a double in x", "separators of thousands"),
        ("x,y\n", "?,2\n" * 150, "a double in x", "the marker ? stands where a value is missing"),
        ("x,y\n", "\\N,2\n" * 150, "a double in x", "`null_values`"),
        ("x,y\n", ' "1", "2"\n' * 150, "a double in x", "spaces beside quotes or values: `trim: true`"),
        ("x,y\n", "12%,2\n" * 150, "a double in x", "units or signs of percent"),
        ("x,y\n", "abc,2\n" * 150, "a double in x", "the column holds text"),
        ("x,y\n", '1,"2\n' * 150, "quotes around whole values", "quote only whole values"),
    ],
)
def test_a_file_of_which_all_records_have_one_fault_ends_the_job_and_says_what_was_seen(
    header: str, records: str, expected: str, seen: str, adder: str, run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": records}, header)

    message = _refused(run, adder, InputError, input=folder)

    assert f"{tmp_path}/in/a.csv: expected" in message
    assert expected in message
    assert seen in message
    assert _nothing_written(run)


def test_a_header_in_a_file_that_should_have_none_is_seen(adder: str, run: Runner, tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"a.csv": "text,1,2\n" * 150}, "more,x,y\n")

    message = _refused(run, adder, InputError, input=folder, has_header=False)

    assert "`has_header: true` reads it as such" in message


@pytest.mark.parametrize("split_bytes", [7, 1_000_000])
@pytest.mark.parametrize(
    ("bad", "good", "kind"),
    [(95, 5, InputError), (94, 6, TooManyInvalidRecordsError), (19, 1, InputError), (18, 2, None), (18, 0, "nothing")],
)
def test_from_95_percent_on_it_is_the_file_below_it_is_the_records(
    bad: int, good: int, kind: Any, split_bytes: int, adder: str, run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": NO_NUMBER * bad + GOOD * good})
    keys: dict[str, Any] = {"input": folder, "split_bytes": split_bytes}

    if kind is None:
        assert _completes(run, adder, **keys) == (bad + good, bad)
    else:
        _refused(run, adder, TooManyInvalidRecordsError if kind == "nothing" else kind, **keys)
        assert _nothing_written(run) == (kind is InputError)


def test_a_column_that_may_miss_values_and_holds_a_marker_alone_is_no_fault_but_one_of_decimal_commas_is(
    registry: Registry, run: Runner, tmp_path: Path
) -> None:
    model = HistGradientBoostingRegressor().fit(pd.DataFrame({"x": [0.0, 1.0]}), [0.0, 1.0])
    uri = registry.register(model, signature=columns("x:double?"))
    markers = _write(tmp_path / "in", {"a.csv": "NA\n" * 150}, "x\n")
    commas = _write(tmp_path / "in2", {"a.csv": '"1,5"\n' * 150}, "x\n")

    assert "decimal commas" in _refused(run, uri, InputError, input=commas)
    assert run(uri, "other", input=markers).record["InvalidRecordCount"] == 0


@pytest.mark.parametrize("backwards", [False, True])
def test_the_inputs_at_fault_are_told_with_the_key_that_scores_the_others(
    backwards: bool, adder: str, run: Runner, tmp_path: Path
) -> None:
    names = ["good.csv", "[1]*?.csv", "b.csv", "c.csv.gz"]
    files = {name: (GOOD if name == "good.csv" else NO_NUMBER) * 150 for name in names}
    _write(tmp_path / "in", files)
    inputs = [f"{tmp_path}/in/{name}" for name in (reversed(names) if backwards else names)]

    message = _refused(run, adder, InputError, input=inputs)

    assert "3 inputs that do not fit the job" in message
    keys = yaml.safe_load(re.search(r"exclude: \[.*?\"\]", message)[0])  # type: ignore[index] # found
    assert sorted(keys["exclude"]) == ["[[]1][*][?].csv", "b.csv", "c.csv.gz"]
    assert "new id" not in message  # the id has no record yet
    assert _completes(run, adder, input=inputs, **keys) == (150, 0)


# ---------------------------------------------------------------- (b) a model that raises on all: exit 4


@pytest.mark.parametrize("split_bytes", [7, 1_000_000])
def test_a_model_that_always_raises_ends_the_job_before_it_begins_after_a_few_calls(
    split_bytes: int,
    fussy: Callable[[Callable[[Any], bool]], str],
    calls: Path,
    run: Runner,
    tmp_path: Path,
) -> None:
    uri = fussy(lambda _: True)
    folder = _write(tmp_path / "in", {"a.csv": GOOD * 300, "b.csv": GOOD})

    with pytest.raises(ModelError, match=r"each of 20 complete records .*: ValueError in predict") as caught:
        run(uri, input=folder, split_bytes=split_bytes)

    assert "secret" not in str(caught.value)
    assert len(list(calls.iterdir())) == 21
    assert _nothing_written(run)
    assert _verified(run, uri, input=folder).exit_code == 4


@pytest.mark.parametrize("split_bytes", [6000, 1_000_000])
def test_a_model_that_raises_in_the_tasks_alone_ends_the_job_after_a_few_calls(
    split_bytes: int,
    fussy: Callable[[Callable[[Any], bool]], str],
    calls: Path,
    run: Runner,
    tmp_path: Path,
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": GOOD * 100_000})

    with pytest.raises(ModelError, match=r"each of 20 complete records .*: ValueError in predict") as caught:
        run(fussy(_in_task), input=folder, split_bytes=split_bytes)

    assert "secret" not in str(caught.value)
    assert len(list(calls.iterdir())) < 1000  # 2,100 if each of 100 splits called it 21 times
    assert run.job().record["Status"] == "FAILED"


def test_a_model_that_raises_on_a_third_of_the_records_scores_the_others(
    fussy: Callable[[Callable[[Any], bool]], str], run: Runner, tmp_path: Path
) -> None:
    records = "".join(f"{number % 3},1\n" for number in range(150))
    folder = _write(tmp_path / "in", {"a.csv": records})

    assert _completes(run, fussy(lambda frame: (frame["x"] == 2).any()), input=folder) == (150, 50)


def test_a_model_that_raises_on_the_first_records_is_not_at_fault(
    fussy: Callable[[Callable[[Any], bool]], str], run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": "2,1\n" * 400 + "1,1\n" * 600})

    assert _completes(run, fussy(lambda frame: (frame["x"] == 2).any()), input=folder, split_bytes=100) == (1000, 400)


def test_a_fault_of_the_file_goes_before_one_of_the_model(
    fussy: Callable[[Callable[[Any], bool]], str], run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": NO_NUMBER * 98 + GOOD * 2})

    _refused(run, fussy(lambda _: True), InputError, input=folder)


# ---------------------------------------------------------------- (c) nothing scored, or too little: exit 5


@pytest.mark.parametrize("records", [1, 3, 150])
def test_a_job_of_which_nothing_was_scored_fails_at_any_size(
    records: int, adder: str, run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": EMPTY * records})

    keys: dict[str, Any] = {"max_invalid_fraction": 1, "missing_values": "reject"}
    message = _refused(run, adder, TooManyInvalidRecordsError, input=folder, **keys)

    assert f"expected predictions, got none for any of {records} records" in message
    assert f"a.csv: 0 of {records} records scored (missing_value {records})" in message
    assert "exclude" not in message  # nothing would be left
    assert run.job().record["Status"] == "FAILED"


@pytest.mark.parametrize("split_bytes", [7, 1_000_000])
@pytest.mark.parametrize("backwards", [False, True])
def test_one_input_of_a_hundred_records_of_which_none_was_scored_fails_the_job(
    backwards: bool, split_bytes: int, adder: str, run: Runner, tmp_path: Path
) -> None:
    _write(tmp_path / "in", {"bad.csv": EMPTY * 100, "good.csv": GOOD * 300})
    names = ["good.csv", "bad.csv"] if backwards else ["bad.csv", "good.csv"]
    keys: dict[str, Any] = {"input": [f"{tmp_path}/in/{name}" for name in names], "split_bytes": split_bytes}

    message = _refused(run, adder, TooManyInvalidRecordsError, **keys)

    assert "expected predictions in each input, got none in 1 of 2" in message
    assert 'exclude: ["bad.csv"] scores the others; the id has a record with all inputs' in message


def test_smaller_inputs_are_judged_together(adder: str, run: Runner, tmp_path: Path) -> None:
    few = _write(tmp_path / "few", {"good.csv": GOOD * 300, "bad.csv": EMPTY * 99})
    many = _write(tmp_path / "many", {"good.csv": GOOD * 300, "bad.csv": EMPTY * 99, "bad2.csv": EMPTY})

    assert _refused(run, adder, TooManyInvalidRecordsError, input=many).count("0 of ") == 2
    assert run(adder, "other", input=few).record["InvalidRecordCount"] == 99


def test_one_odd_file_of_one_record_does_not_stop_a_job(adder: str, run: Runner, tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"a.csv": GOOD, "b.csv": NO_NUMBER, "c.csv": GOOD})

    assert _completes(run, adder, input=folder) == (3, 1)


@pytest.mark.parametrize(("invalid", "records", "completes"), [(50, 99, True), (50, 100, True), (51, 100, False)])
def test_a_fraction_that_was_not_set_is_judged_from_a_hundred_records_on(
    invalid: int, records: int, completes: bool, adder: str, run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {"a.csv": EMPTY * invalid + GOOD * (records - invalid)})

    if completes:
        assert _completes(run, adder, input=folder) == (records, invalid)
    else:
        message = _refused(run, adder, TooManyInvalidRecordsError, input=folder)
        assert f"a fraction 0.5 of invalid records, got {invalid} of {records}" in message
        assert run(adder, input=folder, max_invalid_fraction=1).manifest  # the same id goes on


@pytest.mark.parametrize(("records", "completes"), [(999, True), (1000, False)])
def test_an_input_of_a_thousand_records_is_held_to_it_by_itself(
    records: int, completes: bool, adder: str, run: Runner, tmp_path: Path
) -> None:
    invalid = records // 2 + 1
    files = {"good.csv": GOOD * 3000, "bad.csv": EMPTY * invalid + GOOD * (records - invalid)}
    folder = _write(tmp_path / "in", files)

    if completes:
        assert _completes(run, adder, input=folder) == (3999, 500)
    else:
        message = _refused(run, adder, TooManyInvalidRecordsError, input=folder)
        assert "a fraction 0.5 of invalid records in an input, got more in 1" in message
        assert run(adder, input=folder, max_invalid_fraction=0.5).manifest  # one that is set holds for the job


def test_a_fraction_that_was_set_holds_at_any_size(adder: str, run: Runner, tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"a.csv": EMPTY + GOOD, "b.csv": GOOD})

    message = _refused(run, adder, TooManyInvalidRecordsError, input=folder, max_invalid_fraction=0.3)

    assert "a fraction 0.3 of invalid records, got 1 of 3" in message
    assert 'exclude: ["a.csv"] scores the others' in message


# ---------------------------------------------------------------- no records, and many inputs


def test_files_without_records_complete(adder: str, run: Runner, tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"header.csv": "", "packed.csv.gz": ""})
    (tmp_path / "in" / "empty.csv").touch()

    assert _completes(run, adder, input=folder) == (0, 0)


def test_nothing_new_completes(adder: str, run: Runner, tmp_path: Path) -> None:
    folder = _write(tmp_path / "in", {"a.csv": GOOD})
    run(adder, input=folder, id="first")

    assert _completes(run, adder, input=folder, mode="new_inputs") == (0, 0)


@pytest.fixture
def tasks_look(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have several of Spark's tasks look at a hundred inputs, as at hundreds of objects."""
    monkeypatch.setattr(first_look, "FEW_INPUTS", 50)
    monkeypatch.setattr(first_look, "FEW_LOCAL_INPUTS", 50)
    monkeypatch.setattr(tasks, "INPUTS_A_TASK", 30)
    looked = list[int]()

    def look(spark: SparkSession, spec: JobSpec, inputs: Sequence[InputFile]) -> Looked:
        looked.append(len(inputs))
        return look_at_inputs(spark, spec, inputs)

    monkeypatch.setattr(tasks, "look_at_inputs", look)
    yield
    assert looked == [100]


@pytest.mark.usefixtures("tasks_look")
@pytest.mark.parametrize(("bad", "kind"), [(100, InputError), (95, InputError), (94, None)])
def test_more_inputs_than_the_driver_looks_at_are_judged_alike(
    bad: int, kind: type[BatchScoreError] | None, adder: str, run: Runner, tmp_path: Path
) -> None:
    files = {f"{number:03d}.csv": NO_NUMBER if number < bad else GOOD for number in range(100)}
    folder = _write(tmp_path / "in", files)

    if kind is None:
        assert _completes(run, adder, input=folder, max_invalid_fraction=1) == (100, 94)
        return
    message = _refused(run, adder, kind, input=folder, max_invalid_fraction=1)
    assert f"{bad} inputs that do not fit the job ({bad} of the 100 records of 100 inputs" in message
    assert len(re.findall(r"input file://", message)) == 10
    assert _nothing_written(run)


@pytest.mark.usefixtures("tasks_look")
def test_a_model_that_always_raises_is_found_among_many_inputs(
    fussy: Callable[[Callable[[Any], bool]], str], calls: Path, run: Runner, tmp_path: Path
) -> None:
    folder = _write(tmp_path / "in", {f"{number}.csv": GOOD for number in range(100)})

    with pytest.raises(ModelError, match="each of 20 complete records"):
        run(fussy(lambda _: True), input=folder)

    assert len(list(calls.iterdir())) == 21
    assert _nothing_written(run)


# ---------------------------------------------------------------- what verify tells besides


@pytest.mark.parametrize(("rule", "reason"), [("", "empty"), ("reject", "missing_value")])
def test_verify_warns_by_column_with_count_reason_and_remedy(
    rule: str, reason: str, registry: Registry, run: Runner, tmp_path: Path
) -> None:
    model = HistGradientBoostingRegressor().fit(pd.DataFrame({"x": [0.0, 1.0], "y": [0.0, 1.0]}), [0.0, 1.0])
    uri = registry.register(model, signature=columns("x:double", "y:double?"))
    records = "".join(f"{number},{'NA' if number < 86 else '?' if number < 90 else '1'}\n" for number in range(418))
    folder = _write(tmp_path / "in", {"a.csv": records + ",5\n" * 7 + "1\n" * 2})

    review = _verified(run, uri, input=folder, **({"missing_values": rule} if rule else {}))

    assert review.exit_code == 0
    told = [(fault.column, fault.count, fault.of, fault.reason) for fault in review.faults]
    assert told == [
        ("x", 7, 427, reason),
        ("y", 4, 427, "invalid_value"),
        ("y", 86, 427, "empty"),
        (None, 2, 427, "column_count"),
    ]
    assert all(fault.remedy and fault.remedy in fault.what and not fault.fatal for fault in review.faults)
    assert review.faults[2].what.startswith("y: 86 of 427 empty; the model gets them as missing; ")
