"""Quality from buckets is what scikit-learn answers to the scores themselves, within the bound that is told."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from tests.profiled import BINARY, REGRESSION, document, multiclass

from batchscore.input.csv_lines import TextFormat
from batchscore.profile.losses import NumberLoss
from batchscore.profile.ranking import area_under_roc


def nearly(value: Any) -> Any:
    return pytest.approx(value, rel=1e-12, abs=1e-12)


def check_binary(scores: Any, labels: Any, threshold: float = 0.5) -> dict[str, Any]:
    """Hold all measures of a binary model to scikit-learn's; return the quality."""
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels)
    quality = document(replace(BINARY, threshold=threshold), scores, labels)["quality"]
    best = (scores >= threshold).astype(int)
    area, precision = quality["BinaryAUC"], quality["average_precision"]
    assert abs(area["value"] - metrics.roc_auc_score(labels, scores)) <= area["error_bound"] + 1e-12
    assert abs(precision["value"] - metrics.average_precision_score(labels, scores)) <= precision["error_bound"] + 1e-12
    assert quality["accuracy"] == nearly(metrics.accuracy_score(labels, best))
    assert quality["f1"] == nearly(metrics.f1_score(labels, best))
    assert quality["recall"] == nearly(metrics.recall_score(labels, best))
    if best.any():
        assert quality["precision"] == nearly(metrics.precision_score(labels, best))
    assert quality["log_loss"] == nearly(metrics.log_loss(labels, scores, labels=[0, 1]))
    assert quality["brier"] == nearly(metrics.brier_score_loss(labels, scores))
    return dict(quality)


def cancer() -> tuple[Any, Any]:
    data, labels = load_breast_cancer(return_X_y=True)
    return data, labels


def logistic(data: Any, labels: Any) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(data[::2], labels[::2])


def test_a_real_data_set_has_the_measures_of_scikit_learn() -> None:
    data, labels = cancer()
    scores = logistic(data, labels).predict_proba(data)[:, 1]
    for threshold in (0.0, 0.1, 0.5, float(scores[7]), 0.999, 1.0):
        check_binary(scores, labels, threshold)


def test_the_repeated_scores_of_trees_lose_nothing() -> None:
    data, labels = cancer()
    tree = DecisionTreeClassifier(max_depth=3, random_state=0).fit(data[::2], labels[::2])
    forest = RandomForestClassifier(20, random_state=0).fit(data[::2], labels[::2])

    for model in (tree, forest):
        scores = model.predict_proba(data)[:, 1]
        quality = check_binary(scores, labels)
        assert quality["BinaryAUC"]["value"] == pytest.approx(metrics.roc_auc_score(labels, scores), abs=1e-12)
        expected = metrics.average_precision_score(labels, scores)
        assert quality["average_precision"]["value"] == pytest.approx(expected, abs=1e-12)


def test_rare_high_scores_of_one_label_in_ten_thousand_keep_their_order() -> None:
    rng = np.random.default_rng(5)
    labels = (np.arange(400_000) % 10_000 == 0).astype(int)
    logits = rng.normal(-11, 1.5, len(labels)) + 2.2 * labels
    scores = 1 / (1 + np.exp(-logits))

    quality = check_binary(scores, labels, 0.001)

    area = metrics.roc_auc_score(labels, scores)
    twenty = np.digitize(scores, np.linspace(0, 1, 21))
    assert abs(metrics.roc_auc_score(labels, twenty) - area) > 0.2  # what bins of one width would tell
    assert quality["BinaryAUC"]["value"] == pytest.approx(area, abs=1e-4)
    assert quality["BinaryAUC"]["error_bound"] < 0.005


@pytest.mark.parametrize("mirrored", [False, True])
def test_scores_near_0_and_near_1_are_told_apart_alike(mirrored: bool) -> None:
    rng = np.random.default_rng(6)
    labels = rng.integers(0, 2, 5000)
    scores = 10.0 ** -(9 + rng.random(5000) * 3 - labels)
    if mirrored:
        scores = 1 - scores

    quality = check_binary(scores, labels)

    assert quality["BinaryAUC"]["error_bound"] < 0.002


def test_scores_at_0_and_1_are_scored_as_scikit_learn_does() -> None:
    check_binary([0, 0, 1, 1, 1, 0.5, 1 - 2**-53, 5e-324], [0, 1, 1, 0, 1, 1, 0, 0])


def test_what_one_label_alone_cannot_tell_is_null() -> None:
    quality = document(BINARY, [0.1, 0.2, 0.7], [0, 0, 0])["quality"]

    assert quality["BinaryAUC"] is None
    assert quality["average_precision"] is None
    assert quality["recall"] is None
    assert quality["precision"] == 0
    assert quality["accuracy"] == pytest.approx(2 / 3)


LABELLED_SCORES = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.one_of(
            st.sampled_from([0.0, 1.0, 0.5, 0.25, 0.4, np.nextafter(0.4, 0), np.nextafter(1, 0), 1e-300]),
            st.floats(0, 1),
            st.floats(0, 1e-6),
            st.floats(1 - 1e-9, 1),
        ),
    ),
    min_size=2,
    max_size=60,
).filter(lambda records: {label for label, _ in records} == {0, 1})


@given(LABELLED_SCORES)
def test_any_scores_have_the_measures_of_scikit_learn_within_the_bound(records: list[tuple[int, float]]) -> None:
    labels, scores = zip(*records, strict=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", metrics._classification.UndefinedMetricWarning)
        check_binary(scores, labels, 0.4)


@given(LABELLED_SCORES)
def test_precision_and_recall_at_each_told_threshold_are_exact(records: list[tuple[int, float]]) -> None:
    labels, scores = (np.array(column) for column in zip(*records, strict=True))

    rows = document(replace(BINARY, threshold=0.4), scores, labels)["quality"]["thresholds"]

    assert 0.4 in [row[0] for row in rows]
    assert [row[0] for row in rows] == sorted({row[0] for row in rows})
    for threshold, precision, recall, false_positive_rate in rows:
        best = scores >= threshold
        hits = int((best & (labels == 1)).sum())
        assert recall == hits / labels.sum()
        assert precision == (hits / best.sum() if best.any() else None)
        assert false_positive_rate == (best & (labels == 0)).sum() / (labels == 0).sum()


def test_calibration_has_ten_rows_of_as_many_records_and_their_true_shares() -> None:
    rng = np.random.default_rng(7)
    scores = rng.beta(1, 20, 100_000)
    labels = (rng.random(100_000) < scores).astype(int)

    rows = document(BINARY, scores, labels)["quality"]["calibration"]

    assert len(rows) == 10
    assert sum(row[2] for row in rows) == 100_000
    for lower, upper, count, mean, share in rows:
        inside = (scores >= lower) & (scores < upper)
        assert count == inside.sum()
        assert 9_000 < count < 11_000
        assert share == labels[inside].mean()
        assert mean == pytest.approx(scores[inside].mean(), rel=1 / 256)


def test_more_pairs_than_64_bits_hold_are_counted_exactly() -> None:
    many = 4 * 10**9

    area = area_under_roc(np.array([many, 0, many]), np.array([0, many, many]))

    assert area is not None
    assert area.value == 0.625  # of four kinds of pairs: two right, one wrong, one equal
    assert area.error_bound == 0.125


@pytest.mark.parametrize("load", [load_digits, load_wine])
def test_a_real_multiclass_data_set_has_the_measures_of_scikit_learn(load: Any) -> None:
    data, labels = load(return_X_y=True)
    data = data[:, :6]  # so few that many are wrong
    model = logistic(data, labels)
    predictions = model.predict_proba(data)
    names = tuple(str(label) for label in model.classes_)

    found = document(multiclass(*names), predictions, labels)

    best, quality = predictions.argmax(axis=1), found["quality"]
    assert quality["MulticlassAvgFScore"] == nearly(metrics.f1_score(labels, best, average="macro"))
    assert quality["accuracy"] == nearly(metrics.accuracy_score(labels, best))
    assert quality["log_loss"] == pytest.approx(metrics.log_loss(labels, predictions), rel=1e-9)
    expected = metrics.precision_recall_fscore_support(labels, best, average="macro", zero_division=0)
    assert (quality["precision"], quality["recall"]) == nearly(expected[:2])
    assert found["labels"]["confusion"] == metrics.confusion_matrix(labels, best).tolist()
    assert found["best_answers"] == {name: int((best == place).sum()) for place, name in enumerate(names)}


def test_classes_that_are_neither_label_nor_answer_are_not_in_the_means() -> None:
    quality = document(multiclass("a", "b", "c", "d"), [[0.7, 0.3, 0, 0], [0.2, 0.8, 0, 0]], ["a", "c"])["quality"]

    expected = metrics.f1_score(["a", "c"], ["a", "b"], average="macro", zero_division=0)
    assert quality["MulticlassAvgFScore"] == pytest.approx(expected)
    assert quality["classes"]["d"] == {"precision": None, "recall": None, "f1": None, "count": 0}


def check_regression(scores: Any, labels: Any) -> None:
    scores, labels = np.asarray(scores, np.float64), np.asarray(labels, np.float64)
    quality = document(REGRESSION, scores, [repr(float(label)) for label in labels])["quality"]
    assert quality["RegressionRMSE"] == pytest.approx(metrics.root_mean_squared_error(labels, scores), rel=1e-12)
    assert quality["mae"] == pytest.approx(metrics.mean_absolute_error(labels, scores), rel=1e-12)
    assert quality["r2"] == pytest.approx(metrics.r2_score(labels, scores), rel=1e-9, abs=1e-12)
    assert quality["bias"] == pytest.approx((scores - labels).mean(), rel=1e-12, abs=1e-12)


def test_a_real_regression_has_the_measures_of_scikit_learn() -> None:
    data, labels = load_diabetes(return_X_y=True)
    check_regression(LinearRegression().fit(data[::2], labels[::2]).predict(data), labels)


def test_labels_far_from_zero_keep_their_variance() -> None:
    rng = np.random.default_rng(8)
    labels = 1e9 + rng.normal(size=1000)
    check_regression(labels + rng.normal(size=1000) / 10, labels)


def test_labels_of_one_value_have_no_r2_and_numbers_without_end_none_at_all() -> None:
    assert document(REGRESSION, [1.0, 2.0], ["3", "3"])["quality"]["r2"] is None
    quality = document(REGRESSION, [1e308, -1e308], ["-1e308", "1e308"])["quality"]
    assert quality == {"RegressionRMSE": None, "mae": None, "r2": None, "bias": None}


BOOLEANS = replace(BINARY, classes=("False", "True"), positive_label="True")
WORDS = replace(BINARY, classes=("no", "yes"), positive_label="yes")
COMMA = replace(BINARY, text=TextFormat(delimiter=";", decimal=","))
INVERTED = replace(BINARY, positive_label="0")


@pytest.mark.parametrize(
    ("form", "text", "meant"),
    [
        *((BINARY, text, "1") for text in ("1", "1.0", " 1 ", "+1", "1e0", "yes", "Y", "TRUE", "t")),
        *((BINARY, text, "0") for text in ("0", "0.0", "-0", "-0.0", "no", "N", "False", "f", "000")),
        *((BINARY, text, "empty") for text in ("", "NA", "nan", "NULL", " ")),
        *((BINARY, text, "unknown") for text in ("2", "maybe", "1,0", "1.5", "ja", "on", "-1", "1 0")),
        *((BOOLEANS, text, "1") for text in ("True", "true", "1", "1.0", "yes")),
        *((BOOLEANS, text, "0") for text in ("False", "f", "0")),
        *((WORDS, text, "unknown") for text in ("1", "0", "true", "Yes", " yes", "y")),
        *((WORDS, text, "1") for text in ("yes",)),
        *((COMMA, text, "1") for text in ("1", "1,0")),
        *((COMMA, text, "unknown") for text in ("1.0",)),
        *((INVERTED, text, "1") for text in ("0", "no")),
        *((INVERTED, text, "0") for text in ("1", "yes")),
        *((replace(BINARY, classes=("1", "2"), positive_label="2"), text, "unknown") for text in ("yes", "0", "true")),
        *((replace(BINARY, classes=("0.0", "1.0"), positive_label="1.0"), text, "1") for text in ("1", "1.0", "yes")),
        *((replace(BINARY, classes=("NA", "no"), positive_label="NA"), text, "1") for text in ("NA",)),
    ],
)
def test_a_label_is_a_classs_text_or_number_or_word_and_never_a_guess(form: Any, text: str, meant: str) -> None:
    labels = document(form, [0.9], [text])["labels"]

    counts = {"0": sum(labels["confusion"][0]), "1": sum(labels["confusion"][1])}
    counts |= {name: labels[name] for name in ("empty", "unknown")}
    assert counts == {"0": 0, "1": 0, "empty": 0, "unknown": 0} | {meant: 1}
    assert labels["known"] == int(meant in "01")


def test_numbers_that_two_classes_share_or_that_stand_for_their_neighbour_are_not_guessed() -> None:
    form = multiclass("1", "1.0", "9007199254740993", "5")

    labels = document(form, [[0.25] * 4] * 4, ["1", "1.00", "9007199254740992", "5.0"])["labels"]

    assert labels["known"] == 2
    assert labels["unknown"] == 2


def test_labels_of_a_regression_are_spelt_as_the_jobs_numbers_are() -> None:
    form = replace(REGRESSION, text=TextFormat(delimiter=";", decimal=",", thousands="."))

    found = document(form, [1234.5] * 6, ["1.234,5", "1234,5", "", "many", "inf", "NA"])

    assert found["labels"] | {"residuals": None} == {
        "target": "y",
        "known": 2,
        "empty": 2,
        "unknown": 2,
        "residuals": None,
    }
    assert found["quality"]["RegressionRMSE"] == 0


def test_there_is_no_quality_without_known_labels_or_where_a_score_is_no_prediction_of_them() -> None:
    assert "quality" not in document(BINARY, [0.5], [""])
    assert "labels" not in document(replace(BINARY, label=None, columns=replace(BINARY.columns, echoed=())), [0.5])
    assert "quality" not in document(replace(REGRESSION, meaning="higher is better"), [0.5], ["1"])
    several = document(replace(REGRESSION, value_names=("a", "b")), [[0.5, 1.5]], ["1"])
    assert "quality" not in several
    assert list(several["answers"]) == ["score_a", "score_b"]


@pytest.mark.parametrize("count", [3, 700])
def test_labels_that_are_all_one_deviate_from_their_mean_by_nothing(count: int) -> None:
    loss = NumberLoss()
    for labels in (np.full(count, 0.1), np.full(2 * count, 0.1)):
        loss.count(labels, np.ones(len(labels)))
    assert (loss.mean, loss.deviations) == (0.1, 0.0)
