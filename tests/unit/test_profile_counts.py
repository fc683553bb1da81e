"""Counts of splits add up to the same profile, however they are cut; buckets hold what they say."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import parse_block
from tests.profiled import BINARY, REGRESSION, Floats, columns_of, document, merged, multiclass, split_profile

from batchscore.config.missing_values import Vocabulary
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.unseen_texts import count_texts
from batchscore.profile.buckets import COARSE_BITS, FINE_BITS, Grid, Tally
from batchscore.profile.document import JobTotals, as_bytes, profile_document
from batchscore.profile.format import ProfileFormat
from batchscore.profile.split_profile import ProfileTotals, SplitProfile

FINITE = st.floats(allow_nan=False, allow_infinity=False)
ODD = st.sampled_from([0.0, -0.0, 1.0, 0.5, -0.5, 5e-324, -5e-324, 1.7976931348623157e308, 1 - 2**-53, 0.4])
GRIDS = [Grid(FINE_BITS), Grid(COARSE_BITS), Grid(FINE_BITS, 0.4), Grid(FINE_BITS, 0.0), Grid(FINE_BITS, 1.0)]


@given(st.lists(st.one_of(FINITE, ODD, st.floats(0, 1)), min_size=1), st.sampled_from(GRIDS))
def test_a_number_lies_in_its_bucket_and_a_larger_one_never_in_a_lower(values: list[float], grid: Grid) -> None:
    numbers = np.sort(np.array(values))

    keys = grid.keys(numbers)
    lower, upper = grid.edges(keys)

    assert (np.diff(keys) >= 0).all()
    assert (lower <= numbers).all()
    assert ((numbers < upper) | (numbers == np.finfo(float).max)).all()
    assert (grid.keys(lower) == keys).all()  # the lower edge is the first number of the bucket


@given(FINITE.filter(lambda value: abs(value) > 1e-300), st.sampled_from([FINE_BITS, COARSE_BITS]))
def test_a_bucket_is_narrow_against_its_number_and_below_1_against_what_is_lacking(value: float, bits: int) -> None:
    [lower], [upper] = Grid(bits).edges(Grid(bits).keys(np.array([value])))

    size = 1 - value if 0.5 <= value < 1 else abs(value)
    assert upper - lower <= size * 2**-bits * (1 + 2**-bits) or upper - lower <= 2**-53


@pytest.mark.parametrize("threshold", [0.4, 0.3, 0.0, 1.0, 0.5, 1e-9, 1 - 1e-12])
def test_the_threshold_in_force_is_an_edge(threshold: float) -> None:
    scores = np.array([threshold, np.nextafter(threshold, 1), np.nextafter(threshold, 0), 0.2, 0.9])

    found = document(replace(BINARY, threshold=threshold), scores)

    at_or_above = int((scores >= threshold).sum())
    buckets = found["answers"]["score"]["buckets"]
    assert sum(count for lower, _, count in buckets if lower >= threshold) == at_or_above
    assert all(upper <= threshold for lower, upper, _ in buckets if lower < threshold)
    assert found["best_answers"] == {"0": len(scores) - at_or_above, "1": at_or_above}


def test_sparse_keys_are_counted_as_dense_ones_are() -> None:
    tally = Tally(2)
    tally.count(np.array([5, -(2**40), 5, 2**40]), np.array([0, 1, 1, 0]))
    tally.count(np.array([6, 5, 5]), np.array([0, 0, 0]))

    assert tally.keys.tolist() == [-(2**40), 5, 6, 2**40]
    assert tally.counts.tolist() == [[0, 3, 1, 1], [1, 1, 0, 0]]


KINDS: dict[str, tuple[ProfileFormat, Callable[[np.random.Generator, int], Floats], list[str]]] = {
    "binary": (BINARY, lambda rng, n: rng.beta(1, 9, n), ["0", "1", "", "yes", "other"]),
    "multiclass": (multiclass("a", "b", "c"), lambda rng, n: rng.dirichlet([1, 2, 3], n), ["a", "b", "c", "", "d"]),
    "regression": (REGRESSION, lambda rng, n: rng.normal(5, 3, n), ["1.5", "-2", "7e1", "", "x"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_splits_add_up_to_the_whole_in_any_grouping_and_counts_in_any_order(kind: str) -> None:
    form, make, labels = KINDS[kind]
    rng = np.random.default_rng(3)
    predictions, texts = make(rng, 3000), rng.choice(labels, 3000)
    cuts = [0, 1, 1, 700, 2999, 3000]
    pairs = list(pairwise(cuts))
    splits = [split_profile(form, predictions[first:last], texts[first:last]) for first, last in pairs]

    whole = merged(form, [split_profile(form, predictions, texts)]).sum()
    in_order = merged(form, splits).sum()
    grouped = merged(form, [merged(form, splits[:2]).sum(), merged(form, splits[2:]).sum()]).sum()
    backwards = merged(form, splits[::-1]).sum()

    for other in (in_order, grouped, backwards):
        assert counts_of(other) == counts_of(whole)
    assert in_order == merged(form, [SplitProfile.from_json(item.to_json()) for item in splits]).sum()
    assert floats_of(in_order) == pytest.approx(floats_of(whole), rel=1e-12)


def counts_of(profile: SplitProfile) -> Any:
    answers = [(item.histogram, item.minimum, item.maximum) for item in profile.answers]
    residuals = profile.residuals and profile.residuals.histogram
    labels = (profile.empty_labels, profile.unknown_labels, profile.confusion, residuals)
    return answers, profile.best_answers, profile.missing, labels


def floats_of(profile: SplitProfile) -> list[float]:
    loss = profile.class_loss or profile.number_loss
    names = ("log_loss", "squared") if profile.class_loss else ("error", "absolute", "squared", "mean", "deviations")
    return [*(item.total for item in profile.answers), *(getattr(loss, name) for name in names)]


AGE, JOB, NOTE, BORN = (
    Column("age", "double"),
    Column("job", "string"),
    Column("note", "string"),
    Column("b", "datetime"),
)


def table(**columns: Any) -> pa.Table:
    texts = {name: pa.array(values, pa.string()).dictionary_encode() for name, values in columns.items()}
    return pa.table(texts)


def test_of_texts_only_those_that_the_model_knows_are_listed_and_none_gets_into_a_receipt() -> None:
    form = columns_of(BINARY, JOB, NOTE, vocabularies={"job": Vocabulary(frozenset({"clerk", "cook", "pilot"}))})
    inputs = table(job=["cook", "ann@example.com", None, "cook", "clerk"], note=["Ann", "Bob", "Ann", None, "Cy"])

    receipt = split_profile(form, [0.5] * 5, None, inputs)
    found = document(form, [0.5] * 5, None, inputs)["columns"]

    assert found["job"]["values"] == [["cook", 2], ["clerk", 1]]
    assert found["job"]["other"] == 1
    assert (found["note"]["values"], found["note"]["other"]) == ([], 4)
    assert "example.com" not in receipt.to_json()
    assert "Ann" not in receipt.to_json()


def test_with_redact_no_text_is_listed() -> None:
    vocabularies = {"job": Vocabulary(frozenset({"cook"}))}
    form = columns_of(BINARY, JOB, vocabularies=vocabularies, lists_texts=False)
    inputs = table(job=["cook", "cook"])

    assert "cook" not in split_profile(form, [0.5, 0.5], None, inputs).to_json()
    assert document(form, [0.5, 0.5], None, inputs)["columns"]["job"] == {
        "type": "string",
        "missing": 0,
        "invalid": 0,
        "unseen": None,
    }


@pytest.mark.parametrize(("distinct", "is_high"), [(1000, False), (1001, True)])
def test_more_than_a_thousand_distinct_texts_of_a_split_are_not_listed(distinct: int, is_high: bool) -> None:
    words = [f"w{number}" for number in range(distinct)]
    form = columns_of(BINARY, JOB, vocabularies={"job": Vocabulary(frozenset(words))})

    half = distinct // 2
    blocks = [words[:half], words[half:]]
    together = document(form, [0.5] * distinct, None, table(job=words))["columns"]["job"]
    splits = [split_profile(form, [0.5] * len(some), None, table(job=some)) for some in blocks]
    apart = profile_document(merged(form, splits), JobTotals("id", 0, 0, {}, {}, {}))["columns"]["job"]

    assert together.get("high_cardinality", False) is is_high
    assert ("values" in together) is not is_high
    assert len(apart["values"]) == distinct  # neither split has more than a thousand
    mixed = merged(form, [*splits, split_profile(form, [0.5] * 1001, None, table(job=map(str, range(1001))))])
    assert profile_document(mixed, JobTotals("id", 0, 0, {}, {}, {}))["columns"]["job"]["high_cardinality"]


def test_numbers_flags_and_times_of_columns_have_their_ends_and_means() -> None:
    inputs = pa.table(
        {
            "age": pa.array([30.0, None, 41.5, -2.0]),
            "n": pa.array([1, 2, 3, None], pa.int64()),
            "flag": pa.array([True, False, None, True]),
            "b": pa.array([None, 1, 10**9, -1], pa.timestamp("ns")),
        }
    )
    form = columns_of(BINARY, AGE, Column("n", "long"), Column("flag", "boolean"), BORN)

    found = document(form, [0.5] * 4, None, inputs)["columns"]

    assert [found["age"][key] for key in ("min", "max", "mean")] == [-2.0, 41.5, pytest.approx(69.5 / 3)]
    assert sum(count for *_, count in found["age"]["buckets"]) == 3
    assert [found["n"][key] for key in ("min", "max", "mean")] == [1, 3, 2]
    assert [count for *_, count in found["flag"]["buckets"]] == [1, 2]
    assert (found["b"]["min"], found["b"]["max"]) == ("1969-12-31T23:59:59.999999", "1970-01-01T00:00:01")


def test_each_column_of_a_record_that_another_column_makes_invalid_is_counted() -> None:
    job = Column("job", "string")
    columns = Columns((AGE, Column("n", "long"), job), (), None, has_header=True)
    text = "31,1,cook\nword,2,pilot\n,3,cook\n40,x,clerk\n41,4\n42,5,diver\n?,7,\n"
    parsed = parse_block(Block(0, text.encode()), bind(columns, ("age", "n", "job"), "in.csv"), columns, TextFormat())
    vocabularies = {"job": Vocabulary(frozenset({"clerk", "cook"}))}
    form = replace(BINARY, kind="full", columns=columns, vocabularies=vocabularies, label=None)
    totals = ProfileTotals(form)
    totals.count(parsed, parsed.lines, np.full(len(parsed.lines), 0.5))

    unseen = dict(count_texts(parsed.values, vocabularies).unseen)
    told = JobTotals("id", 7, 4, {}, dict(parsed.invalid_values), unseen)
    found = profile_document(totals, told)["columns"]

    assert [parsed.lines.tolist(), len(parsed.inputs)] == [[0, 2, 5], 3]
    assert [(found[name]["missing"], found[name]["invalid"]) for name in ("age", "n", "job")] == [
        (1, 2),
        (0, 1),
        (1, 0),
    ]
    assert [found[name]["mean"] for name in ("age", "n")] == [113 / 3, 18 / 5]
    assert (found["job"]["values"], found["job"]["other"], found["job"]["unseen"]) == (
        [["cook", 2], ["clerk", 1]],
        2,
        2,
    )


@pytest.mark.parametrize("ends", [(-(2**63), 2**63 - 1), (2**53 + 1, 2**53 + 3), (-(2**53) - 1, -1), (7, 7)])
def test_the_ends_of_whole_numbers_are_exact_through_receipts_and_in_the_file(ends: tuple[int, int]) -> None:
    form = columns_of(BINARY, Column("n", "long"))
    splits = [split_profile(form, [0.5] * 2, None, pa.table({"n": pa.array([None, end], pa.int64())})) for end in ends]
    totals = merged(form, [SplitProfile.from_json(split.to_json()) for split in splits])
    stored = as_bytes(profile_document(totals, JobTotals("id", 4, 0, {}, {}, {})))
    assert f'"min": {ends[0]}, "max": {ends[1]}, "mean"' in stored.decode()


def test_a_matrix_of_numbers_is_counted_as_a_table_is_and_what_is_nan_is_missing() -> None:
    matrix = np.array([[1.0, np.nan], [2.5, 7.0], [np.nan, np.nan]])
    form = columns_of(BINARY, AGE, Column("x", "double"))

    found = document(form, [0.5] * 3, None, matrix)["columns"]

    assert (found["age"]["missing"], found["x"]["missing"]) == (1, 2)
    assert (found["age"]["mean"], found["x"]["mean"]) == (1.75, 7.0)


def test_numbers_whose_sum_is_beyond_the_largest_are_looked_through_for_what_is_missing_without_a_warning() -> None:
    form = columns_of(BINARY, AGE, Column("x", "double"))

    found = document(form, [0.5] * 2, None, np.array([[1e308, np.nan], [1e308, 1.0]]))["columns"]

    assert (found["age"]["missing"], found["x"]["missing"]) == (0, 1)
    assert document(form, [0.5] * 2, None, np.array([[1e308, 1.0], [1e308, -1e308]]))["columns"]["x"]["missing"] == 0


def test_a_job_of_no_records_has_a_profile_of_nothing() -> None:
    for form in (BINARY, multiclass("a", "b", "c"), REGRESSION, columns_of(BINARY, AGE, JOB, BORN)):
        found = profile_document(merged(form, []), JobTotals("id", 0, 0, {}, {}, {}))
        answers = next(iter(found["answers"].values()))
        assert answers == {"count": 0, "min": None, "max": None, "mean": None, "buckets": []}
        assert found["labels"]["known"] == 0
        assert "quality" not in found


def test_the_file_is_strict_json_whatever_the_numbers_are() -> None:
    largest = 1.7976931348623157e308
    found = document(REGRESSION, [largest, largest, -largest], ["1e308", "-1e308", "0"])

    text = as_bytes(found).decode()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(text, parse_constant=refuse) == found
    assert found["answers"]["score"]["max"] == largest
    assert found["answers"]["score"]["mean"] is None
    assert all(math.isfinite(edge) for bucket in found["answers"]["score"]["buckets"] for edge in bucket)


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", '{"answers": 1}', "[" * 100_000),
        '{"answers":[],"best_answers":{"keys":[],"counts":[[]]},"missing":{}}',
        '{"answers":[{"histogram":{"keys":[3,0],"counts":[[1,1],[0,0],[0,0]]},"minimum":0,"maximum":1,"total":1}],'
        '"best_answers":{"keys":[],"counts":[[]]},"missing":{}}',
        '{"answers":[{"histogram":{"keys":[3],"counts":[[1]]},"minimum":0,"maximum":1,"total":1}],'
        '"best_answers":{"keys":[],"counts":[[]]},"missing":{}}',
        '{"answers":[{"histogram":{"keys":[],"counts":[[],[],[]]},"minimum":0,"maximum":1,"total":1}],'
        '"best_answers":{"keys":[],"counts":[[],[]]},"missing":{}}',
    ],
)
def test_what_are_no_counts_of_the_job_raises_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whoever reads counts asks for no more
        merged(BINARY, [SplitProfile.from_json(text)])
