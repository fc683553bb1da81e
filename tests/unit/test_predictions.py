import csv
import io
import math
import struct
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from batchscore.input.echo_columns import EchoColumn
from batchscore.output.result_text import (
    FloatArray,
    ResultFormat,
    csv_lines,
    format_predictions,
    format_scientific,
    header_line,
)


def by_formula(value: float) -> str:
    mantissa, exponent = f"{value:.6E}".split("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent)}"


def assert_equals_formula(values: FloatArray) -> None:
    expected = [by_formula(value) for value in values.tolist()]
    assert format_scientific(values).to_pylist() == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0087642, "8.7642E-3"),
        (0.7899012, "7.899012E-1"),
        (-15.26835, "-1.526835E1"),
        (8.359159, "8.359159E0"),
        (132396.7, "1.323967E5"),
        (0.0, "0E0"),
        (1.0, "1E0"),
        (0.5, "5E-1"),
        (1 - 1e-16, "1E0"),
        (5e-324, "4.940656E-324"),
        (1.7976931348623157e308, "1.797693E308"),
        (123456.75, "1.234568E5"),
    ],
)
def test_numbers_are_spelt_as_amazon_spelt_them(value: float, text: str) -> None:
    assert format_scientific(np.array([value])).to_pylist() == [text]


def test_a_million_random_doubles_equal_the_formula() -> None:
    rng = np.random.default_rng(7)
    bits = rng.integers(0, 2**64, 250_000, dtype=np.uint64).view(np.float64)
    scaled = rng.standard_normal(250_000) * 10.0 ** rng.integers(-30, 30, 250_000)
    ties = (rng.integers(10**6, 10**7, 250_000) + 0.5) * 10.0 ** rng.integers(-8, 8, 250_000)
    assert_equals_formula(np.concatenate([bits[np.isfinite(bits)], scaled, ties, rng.random(260_000)]))


def test_powers_of_ten_and_their_neighbours_equal_the_formula() -> None:
    powers = np.array([float(f"1e{exponent}") for exponent in range(-323, 309)])
    near = [powers, np.nextafter(powers, 0), np.nextafter(powers, np.inf), powers * 0.99999995, powers[:-1] * 9.9999995]
    values = np.concatenate(near)
    assert_equals_formula(np.concatenate([values, -values])[np.isfinite(np.concatenate([values, -values]))])


TAG = EchoColumn("tag", "id", role="row_id")
LABEL = EchoColumn("trueLabel", "y", is_required=False, role="target")


def result_format(model_type: str, **changes: object) -> ResultFormat:
    fields: dict[str, object] = {
        "model_type": model_type,
        "classes": ("a", "b,c") if model_type == "multiclass" else (),
        "threshold": 0.5,
        "precision": "amazon",
        "echoed": (),
        "keep_tag": False,
    }
    return ResultFormat(**(fields | changes))  # type: ignore[arg-type] # literals in the tests


def lines_of(result: ResultFormat, predictions: list[object], lines: list[int], count: int, *texts: list[str]) -> str:
    echoed = [pa.array(values, pa.string()) for values in texts]
    content = format_predictions(result, count, np.array(lines, np.int64), np.array(predictions, float), echoed)
    return header_line(result).decode() + content.decode()


def test_binary_results_have_best_answer_and_score() -> None:
    assert lines_of(result_format("binary"), [0.5, 0.4999999], [0, 1], 2) == "bestAnswer,score\n1,5E-1\n0,4.999999E-1\n"


def test_best_answer_is_one_from_the_threshold_on() -> None:
    at = 0.7
    below = math.nextafter(at, 0)
    assert lines_of(result_format("binary", threshold=at), [at, below], [0, 1], 2).splitlines()[1:] == [
        "1,7E-1",
        "0,7E-1",
    ]


def test_regression_results_echo_tag_and_label() -> None:
    result = result_format("regression", echoed=(TAG, LABEL))
    text = lines_of(result, [132396.7, 122570.8], [0, 1], 2, ["1461", "1461"], ["0", ""])
    assert text == "tag,trueLabel,score\n1461,0,1.323967E5\n1461,,1.225708E5\n"


def test_multiclass_results_have_a_column_for_each_class_and_no_more() -> None:
    assert lines_of(result_format("multiclass"), [[0.25, 0.75]], [0], 1) == 'a,"b,c"\n2.5E-1,7.5E-1\n'


def test_several_values_have_a_column_for_each_with_its_name() -> None:
    result = result_format("regression", value_names=("low", "a,b"), echoed=(TAG,), keep_tag=True)
    text = lines_of(result, [[0.25, 132396.7]], [1], 2, ["x", "y"])
    assert text == 'tag,score_low,"score_a,b"\nx,,\ny,2.5E-1,1.323967E5\n'


def test_an_invalid_record_is_a_blank_line_at_its_place() -> None:
    result = result_format("binary", echoed=(TAG,))
    assert lines_of(result, [0.25], [1], 3, ["x", "y", "z"]).splitlines()[1:] == ["", "y,0,2.5E-1", ""]


def test_keep_tag_writes_the_tag_with_empty_predictions() -> None:
    result = result_format("binary", echoed=(TAG, LABEL), keep_tag=True)
    text = lines_of(result, [0.25], [1], 3, ["x", "y", ""], ["1", "0", ""])
    assert text.splitlines()[1:] == ["x,1,,", "y,0,0,2.5E-1", ",,,"]


def test_a_kept_record_has_a_cell_for_each_column_and_a_lone_one_in_quotes() -> None:
    for model_type, line in (("regression", '""'), ("binary", ","), ("multiclass", ",")):
        result = result_format(model_type, keep_tag=True)
        value = [0.25, 0.75] if model_type == "multiclass" else 0.25
        lines = lines_of(result, [value], [1], 3).splitlines()
        assert (lines[1], lines[3]) == (line, line)
        assert [len(row) for row in csv.reader(lines)] == [len(result.header)] * 4


def test_the_lines_of_kept_records_are_rows_to_pandas() -> None:
    texts = {TAG: ["", "y", ""], LABEL: ["", "1", ""]}
    for model_type in ("regression", "binary", "multiclass"):
        for echoed in ((), (TAG,), (LABEL,), (TAG, LABEL)):
            result = result_format(model_type, echoed=echoed, keep_tag=True)
            value = [0.25, 0.75] if model_type == "multiclass" else 0.25
            frame = pd.read_csv(io.StringIO(lines_of(result, [value], [1], 3, *(texts[column] for column in echoed))))
            assert frame[result.prediction_names[-1]].isna().tolist() == [True, False, True]


def test_tags_are_quoted_where_they_need_it() -> None:
    result = result_format("regression", echoed=(TAG,))
    text = lines_of(result, [1, 1, 1], [0, 1, 2], 3, ["a,b", 'say "x"', "c\rd"])
    assert text.split("\n")[1:4] == ['"a,b",1E0', '"say ""x""",1E0', '"c\rd",1E0']


FORMULAS = ["=1+1", "+1", "-1", "@a", "\t=1", "\r1", "a=1", "", "'=1", " =1", "é=1"]


def test_without_escape_formulas_texts_are_echoed_as_they_are() -> None:
    result = result_format("regression", echoed=(TAG,))
    text = lines_of(result, [0.5] * 2, [0, 1], 2, ["=1+1", "-1"])
    assert text == "tag,score\n=1+1,5E-1\n-1,5E-1\n"


def test_escape_formulas_puts_an_apostrophe_before_tags_and_labels_that_a_spreadsheet_could_run() -> None:
    result = result_format("regression", echoed=(TAG, LABEL), escape_formulas=True, keep_tag=True)
    text = lines_of(result, [-0.5] * 10, list(range(10)), 11, FORMULAS, FORMULAS)
    cells = ["'=1+1", "'+1", "'-1", "'@a", "'\t=1", '"\'\r1"', "a=1", "", "'=1", " =1", "é=1"]
    scores = [*["-5E-1"] * 10, ""]  # a score is ours: its sign is left alone
    told = [f"{cell},{cell},{score}" for cell, score in zip(cells, scores, strict=True)]
    assert text == "\n".join(["tag,trueLabel,score", *told, ""])


def test_escape_formulas_leaves_the_numbers_of_a_numeric_column_alone_and_nothing_else_of_it() -> None:
    result = result_format("regression", echoed=(replace(LABEL, is_numeric=True),), escape_formulas=True)
    labels = ["-1", "+1.5e3", "-.5", "-1 ", "\t-1", "-1+cmd()", "=1", "-", "@1", "7"]
    text = lines_of(result, [0.5] * 10, list(range(10)), 10, labels)
    told = ["-1", "+1.5e3", "-.5", "-1 ", "\t-1", "'-1+cmd()", "'=1", "'-", "'@1", "7"]
    assert text == "trueLabel,score\n" + "".join(f"{label},5E-1\n" for label in told)


def test_an_escaped_text_is_quoted_as_a_whole() -> None:
    result = result_format("regression", echoed=(TAG,), escape_formulas=True)
    assert lines_of(result, [0.5], [0], 1, ['=A("x",1)']) == 'tag,score\n"\'=A(""x"",1)",5E-1\n'


def test_full_precision_reads_back_to_the_same_number() -> None:
    rng = np.random.default_rng(3)
    values = rng.integers(0, 2**63, 1000, dtype=np.int64).view(np.float64)
    values = np.concatenate([values[np.isfinite(values)], [0.1 + 0.2, 1 / 3, 5e-324]])
    text = lines_of(result_format("regression", precision="full"), list(values), list(range(len(values))), len(values))
    read = [float(line) for line in text.splitlines()[1:]]
    assert [struct.pack("d", value) for value in read] == [struct.pack("d", value) for value in values.tolist()]


def test_no_records_give_no_lines() -> None:
    assert lines_of(result_format("regression"), [], [], 0) == "score\n"


def test_another_number_of_echoed_columns_than_the_header_has_is_no_result() -> None:
    with pytest.raises(AssertionError, match="expected 1 echoed columns, got 0"):
        lines_of(result_format("regression", echoed=(LABEL,)), [1.0], [0], 1)


def test_csv_lines_quote_what_needs_it() -> None:
    assert csv_lines([["1", "2"], ["a,b", 'c"']]) == b'1,"a,b"\n2,"c"""\n'
