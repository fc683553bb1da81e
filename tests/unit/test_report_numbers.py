"""What the page works out: cut-offs from buckets, bars, quantiles, and how numbers are spelt."""

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import yaml
from tests.page_jobs import Floats, binary_job, binary_job_of, buckets_of, edges_of

from batchscore.report.bins import (
    bars,
    linear_scale,
    linear_ticks,
    log_odds_scale,
    log_odds_ticks,
    middle_range,
    quantile,
)
from batchscore.report.cutoffs import MOST_STOPS, Cutoffs, cutoffs
from batchscore.report.figures import count, duration, measure, score, share, size, yaml_number
from batchscore.report.sections.cutoff import rates, some_stops
from batchscore.report.sections.quality import precision_recall, roc
from batchscore.report.stored import Buckets


def found_in(scores: Floats, labels: npt.NDArray[np.int64] | None, threshold: float) -> Cutoffs:
    profile = binary_job_of(scores, labels, threshold).report.profile
    assert profile is not None
    return cutoffs(profile, threshold)


def typed_buckets(values: Floats, edges: Floats) -> Buckets:
    return tuple((lower, upper, int(number)) for lower, upper, number in buckets_of(values, edges))


def test_at_each_stop_the_counts_are_those_of_the_scores_themselves() -> None:
    job = binary_job(3000)
    found = found_in(job.scores, job.labels, 0.4)
    assert found.thresholds[found.in_force] == 0.4
    assert list(found.thresholds) == sorted(set(found.thresholds))
    for at, threshold in enumerate(found.thresholds):
        above = job.scores >= threshold
        assert found.above[at] == above.sum()
        assert found.true_positives[at] == (above & (job.labels == 1)).sum()
        assert found.false_positives[at] == (above & (job.labels == 0)).sum()
    assert (found.record_count, found.positive_count) == (3000, job.labels.sum())


def test_the_first_stop_answers_1_to_all_and_the_last_to_none() -> None:
    job = binary_job(3000)
    found = found_in(job.scores, None, 0.4)
    assert found.above[0] == 3000
    assert found.above[-1] == 0
    assert not found.has_labels


def test_of_more_stops_than_a_page_holds_some_are_left_out_and_those_that_stay_are_exact() -> None:
    scores = 1 / (1 + np.exp(-np.random.default_rng(0).uniform(-25, 25, 60_000)))
    found = found_in(scores, None, 0.123456789)
    assert MOST_STOPS * 0.9 < len(found.thresholds) <= MOST_STOPS
    assert found.thresholds[found.in_force] == 0.123456789
    assert list(found.above) == [(scores >= threshold).sum() for threshold in found.thresholds]


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0, 1e-7])
def test_the_threshold_in_force_is_a_stop_wherever_the_scores_are(threshold: float) -> None:
    found = found_in(np.array([0.0, 1.0, 0.25, 0.25]), None, threshold)
    assert found.above[found.in_force] == {0.0: 4, 0.5: 1, 1.0: 1, 1e-7: 3}[threshold]


def test_every_stop_is_a_threshold_that_a_configuration_takes_and_reads_back_the_same() -> None:
    scores = 1 / (1 + np.exp(-np.random.default_rng(1).uniform(-20, 20, 5_000)))
    for threshold in (*found_in(scores, None, 0.37).thresholds, 1e-7, 1e-300, 0.0, 1.0):
        read = yaml.safe_load(f"threshold: {yaml_number(threshold)}")["threshold"]
        assert not isinstance(read, str)
        assert read == threshold


def test_the_line_is_the_shortest_that_reads_back() -> None:
    told = {0.4: "0.4", 0.5: "0.5", 1.0: "1", 1.5e-5: "0.000015", 1e-6: "0.000001", 1e-7: "1.0e-7", 1.5e-7: "1.5e-7"}
    told |= {-0.0: "0", 1e-300: "1.0e-300", 1 - 2**-53: "0.9999999999999999"}
    assert {value: yaml_number(value) for value in told} == told


def test_rates_of_nothing_are_none() -> None:
    found = found_in(np.array([0.2, 0.6]), np.array([1, 0]), 0.5)
    assert rates(found, 0) == (0.5, 1.0, 2 / 3)
    last = len(found.thresholds) - 1
    assert rates(found, last) == (None, 0.0, 0.0)


def test_the_table_of_stops_has_the_first_the_last_and_the_one_in_force() -> None:
    job = binary_job(3000)
    found = found_in(job.scores, job.labels, 0.4)
    places = some_stops(found)
    assert {0, found.in_force, len(found.thresholds) - 1} <= set(places)
    assert len(places) <= 22


def test_the_curves_go_from_end_to_end_through_points_that_are_there() -> None:
    job = binary_job(3000)
    found = found_in(job.scores, job.labels, 0.4)
    points = roc(found)
    assert (points[0], points[-1]) == ((1.0, 1.0), (0.0, 0.0))
    assert all(left[0] >= right[0] and left[1] >= right[1] for left, right in pairwise(points))
    inner = set(zip(found.false_positives, found.true_positives, strict=True))
    assert all((round(x * found.negative_count), round(y * found.positive_count)) in inner for x, y in points[1:-1])
    assert precision_recall(found)[0] == (1.0, job.labels.mean())


def test_bars_hold_every_record_once() -> None:
    values = np.random.default_rng(2).normal(size=5000)
    buckets = typed_buckets(values, edges_of(3, mirrored=False))
    low, high, outside = middle_range(buckets)
    heights = bars(buckets, linear_scale(low, high), 40)
    assert outside == 0
    assert sum(heights) == pytest.approx(5000)


def test_few_numbers_that_are_far_off_are_left_out_and_counted() -> None:
    values = np.concatenate([np.random.default_rng(2).normal(10, 1, 5000), [1e9, -1e9]])
    low, high, outside = middle_range(typed_buckets(values, edges_of(7, mirrored=False)))
    assert 6 < low < 8
    assert 12 < high < 14
    assert 2 <= outside <= 60


@pytest.mark.parametrize("part", [0.01, 0.25, 0.5, 0.99])
def test_a_quantile_is_that_of_the_numbers_within_the_width_of_a_bucket(part: float) -> None:
    values = np.random.default_rng(4).lognormal(12, 0.5, 20_000)
    found = quantile(typed_buckets(values, edges_of(7, mirrored=False)), part)
    assert found == pytest.approx(np.quantile(values, part), rel=1 / 64)


def test_a_scale_in_log_odds_has_room_for_all_scores_and_for_the_threshold() -> None:
    scale = log_odds_scale(((0.2, 0.3, 5), (0.3, 0.4, 5)), 0.9)
    assert 0 < scale.place(0.2) < scale.place(0.3) < scale.place(0.9) < 1
    assert (scale.place(0.0), scale.place(1.0)) == (0.0, 1.0)
    ticks = log_odds_ticks(scale, 0.13)
    assert (0.5, "0.5") in ticks
    assert all(right - left >= 0.13 for left, right in pairwise(scale.place(value) for value, _ in ticks))


def test_ticks_are_round_and_within_the_scale() -> None:
    assert linear_ticks(linear_scale(0, 1_230_000)) == [0, 250_000, 500_000, 750_000, 1_000_000]
    assert linear_ticks(linear_scale(3.0, 3.0)) != []
    for low, high in ((-1e308, 1e308), (-1.7e308, 2.0), (1e308, 1.2e308)):
        assert all(map(math.isfinite, linear_ticks(linear_scale(low, high))))
        assert linear_scale(low, high).place(1.7e308) == 1


def test_numbers_are_spelt_as_people_read_them() -> None:
    assert count(1234567) == "1,234,567"
    assert [share(part, 100_000) for part in (0, 1, 5, 1234, 50_000, 99_999, 100_000)] == [
        *("0%", "< 0.01%", "< 0.01%", "1.23%", "50.0%", "> 99.99%", "100%")
    ]
    assert share(1, 0) == "\u2013"
    assert [measure(value) for value in (0.94123, 0, 1234.56, 12.3456, -0.5, None, math.nan, 1e-9, 1e20)] == [
        *("0.9412", "0", "1,235", "12.35", "\u22120.5000", "\u2013", "\u2013", "1e-9", "1e+20")
    ]
    assert [score(value) for value in (0.4, 0.123456, 0.9999997, 0, 1, 1.23456e-7, 9.99999e-5, 1 - 2**-53, -0.0)] == [
        *("0.4", "0.1235", "0.9999997", "0", "1", "1.235e-7", "1e-4", "0.99999999999999989", "0")
    ]
    assert [size(value) for value in (0, 1023, 1536, 20 * 1024 * 1024)] == [
        "0 bytes",
        "1,023 bytes",
        "1.5 KiB",
        "20 MiB",
    ]
    assert [duration(seconds) for seconds in (0.31, 59, 3780)] == ["0.3 s", "59 s", "1 h 3 min"]
