"""What of a file is missing, and in which types a model gets records that lack values: as pandas reads them."""

import importlib
import io
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.parsed import parse_block

from batchscore.config.missing_values import NO_FACTS, PANDAS_WORDS, MissingSettings, ModelFacts
from batchscore.input.binding import bind
from batchscore.input.blocks import Block
from batchscore.input.columns import Column, Columns, ColumnType
from batchscore.input.csv_lines import TextFormat
from batchscore.input.parsed_block import ParsedBlock
from batchscore.model.frames import ModelRecords, rows_alike, with_missing_rules

NAMES = ("d", "l", "i", "b", "s", "f")
KINDS: tuple[ColumnType, ...] = ("double", "long", "integer", "boolean", "string", "float")


def columns_of(settings: MissingSettings, facts: ModelFacts = NO_FACTS, required: bool = True) -> Columns:
    inputs = tuple(Column(name, kind, required) for name, kind in zip(NAMES, KINDS, strict=True))
    return with_missing_rules(Columns(inputs, (), NAMES, has_header=False), settings, facts)


def parse(text: str, columns: Columns) -> ParsedBlock:
    return parse_block(Block(0, text.encode()), bind(columns, None, "x"), columns, TextFormat())


def frames(text: str, columns: Columns) -> list[tuple[list[int], pd.DataFrame]]:
    """Return the lines that the model gets together, and the frame of each."""
    parsed = parse(text, columns)
    groups = ModelRecords(parsed.inputs, columns.inputs).groups()
    return [(parsed.lines[rows].tolist(), frame) for rows, frame in groups if isinstance(frame, pd.DataFrame)]


def reason(text: str, settings: MissingSettings, facts: ModelFacts = NO_FACTS, required: bool = True) -> str | None:
    parsed = parse(text, columns_of(settings, facts, required))
    return f"{parsed.invalid[0].reason} {parsed.invalid[0].attribute}" if parsed.invalid else None


@pytest.mark.parametrize("required", [True, False])
def test_records_keep_their_types_and_those_that_lack_the_same_are_together(required: bool) -> None:
    text = "1,2,3,yes,a,1\n,2,3,no,b,1\n1,,3,0,c,1\n1,5,,1,,1\n2,,4,1,d,1\n1,2,3,,e,1\n"
    found = frames(text, columns_of(MissingSettings(), required=required))

    kinds = {tuple(lines): [str(kind) for kind in frame.dtypes] for lines, frame in found}
    assert kinds == {
        (0, 1): ["float64", "int64", "int32", "bool", "object", "float32"],
        (2, 4): ["float64", "float64", "int32", "bool", "object", "float32"],
        (3,): ["float64", "int64", "float64", "bool", "object", "float32"],
        (5,): ["float64", "int64", "int32", "object", "object", "float32"],
    }
    by_lines = {tuple(lines): frame for lines, frame in found}
    assert np.isnan(by_lines[(0, 1)]["d"][1])
    assert by_lines[(2, 4)]["l"].isna().all()
    assert by_lines[(3,)]["s"].tolist() == [np.nan]
    assert by_lines[(5,)]["b"].isna().all()


CELLS = st.sampled_from(["", "NA", "None", "NaN", "#N/A", "1", "0", '"NA"', '""', "1.0"])


@given(st.lists(st.tuples(*([CELLS] * 5)), min_size=1, max_size=12))
def test_values_are_those_of_pandas(lines: list[tuple[str, ...]]) -> None:
    text = "".join(",".join(line) + "\n" for line in lines)
    names = ("d", "l", "i", "s", "f")
    columns = columns_of(MissingSettings())
    columns = replace(columns, names=names, inputs=tuple(c for c in columns.inputs if c.name in names))
    expected = pd.read_csv(io.StringIO(text), header=None, names=names, dtype={"s": str}, skip_blank_lines=False)

    seen: list[int] = []
    for rows, frame in frames(text, columns):
        seen += rows
        for name in names:
            ours, theirs = frame[name].tolist(), expected[name].iloc[np.array(rows)].tolist()
            assert [None if pd.isna(v) else v for v in ours] == [None if pd.isna(v) else v for v in theirs]
    assert sorted(seen) == list(range(len(lines)))


@pytest.mark.parametrize("word", sorted(PANDAS_WORDS))
def test_the_default_words_are_those_of_pandas(word: str) -> None:
    assert pd.read_csv(io.StringIO(f"a,z\n{word},1\n"), dtype=str)["a"].isna().all()
    for text in (f"{word},1,1,1,x,1\n", f"1,{word},1,1,x,1\n", f"1,1,1,{word},x,1\n", f"1,1,1,1,{word},1\n"):
        columns = columns_of(MissingSettings())
        assert not parse(text, columns).invalid
        assert sum(frame.isna().sum().sum() for _, frame in frames(text, columns)) == 1


def test_the_default_list_is_the_whole_list_of_pandas() -> None:
    parsers = importlib.import_module("pandas._libs.parsers")
    assert parsers.STR_NA_VALUES == PANDAS_WORDS


@pytest.mark.parametrize(
    ("null_values", "cell", "missing"),
    [
        (("?",), "?", True),
        (("?",), "NA", False),
        (("pandas", "?"), "?", True),
        (("pandas", "?"), "NA", True),
        ((), "", True),
        ((), "NA", False),
        (("-999",), "-999", True),
    ],
)
@pytest.mark.parametrize("quotes", ["", '"'])
def test_a_list_adds_to_the_empty_cell(null_values: tuple[str, ...], cell: str, missing: bool, quotes: str) -> None:
    columns = columns_of(MissingSettings(null_values=null_values))
    [(_, frame)] = frames(f"1,1,1,1,{quotes}{cell}{quotes},1\n", columns)
    assert bool(frame["s"].isna()[0]) is missing


@pytest.mark.parametrize("cell", ["-999", "-999.0", "-9.99e2", '"-999"', " -999 ", "-0999"])
@pytest.mark.parametrize("column", [0, 1, 2, 3, 5])
def test_numbers_mean_missing_by_value(cell: str, column: int) -> None:
    cells = ["1", "1", "1", "1", "x", "1"]
    cells[column] = cell
    columns = columns_of(MissingSettings(null_values=("-999",)))
    [(_, frame)] = frames(",".join(cells) + "\n", columns)
    assert frame.isna().to_numpy().tolist() == [[place == column for place in range(6)]]


def test_numbers_mean_missing_by_value_where_all_columns_are_plain_numbers() -> None:
    columns = Columns((Column("x", "double"), Column("y", "double")), (), ("x", "y"), has_header=False)
    columns = with_missing_rules(columns, MissingSettings(null_values=("-999",)), NO_FACTS)
    parsed = parse("1,-999\n-999.0,2\n", columns)
    assert isinstance(parsed.inputs, np.ndarray)
    np.testing.assert_array_equal(parsed.inputs, [[1, np.nan], [np.nan, 2]])

    refused = with_missing_rules(columns, MissingSettings("reject", ("-999",)), NO_FACTS)
    required = replace(refused, inputs=tuple(replace(c, required=True) for c in refused.inputs))
    required = with_missing_rules(required, MissingSettings("reject", ("-999",)), NO_FACTS)
    assert [record.reason for record in parse("1,-999\n1,2\n", required).invalid] == ["missing_value"]


@pytest.mark.parametrize("listed", ["-999", "-999.0", "-9.99e2"])
@pytest.mark.parametrize("cell", ["-999", "-999.0", "-999.00", "999"])
def test_a_number_of_the_list_means_missing_in_text_as_pandas_spells_it(listed: str, cell: str) -> None:
    expected = pd.read_csv(io.StringIO(f"s,x\n{cell},1\n"), dtype={"s": str}, na_values=[listed])["s"].isna().tolist()
    columns = columns_of(MissingSettings(null_values=("pandas", listed)))
    inputs = parse(f"1,1,1,1,{cell},1\n", columns).inputs
    assert isinstance(inputs, pa.Table)
    [value] = inputs.column("s").to_pylist()
    assert [value is None] == expected


@pytest.mark.parametrize("marker", ["?", "-", r"\N", "n.a.", "inf", "1e999"])
def test_another_marker_in_a_number_is_an_invalid_value_in_optional_columns_too(marker: str) -> None:
    for required in (True, False):
        assert reason(f"{marker},1,1,1,x,1\n", MissingSettings(), required=required) == "invalid_value d"
        assert reason(f"1,1,1,{marker},x,1\n", MissingSettings(), required=required) == "invalid_value b"


def test_an_invalid_value_is_missing_on_request_in_optional_columns_alone() -> None:
    settings = MissingSettings(invalid_values="missing")
    assert reason("x,1,1,1,x,1\n", settings, required=False) is None
    assert reason("x,1,1,1,x,1\n", settings, required=True) == "invalid_value d"


def test_reject_makes_records_without_a_required_number_invalid() -> None:
    rejects = MissingSettings("reject")
    assert reason("1,,1,1,x,1\n", rejects) == "missing_value l"
    assert reason("1,1,1,NA,x,1\n", rejects) == "missing_value b"
    assert reason("1,,1,1,x,1\n", rejects, required=False) is None
    [(_, required)] = frames("1,1,1,1,,1\n", columns_of(rejects))
    assert required["s"].tolist() == [""]
    [(_, optional)] = frames("1,1,1,1,,1\n2,,1,0,x,1\n", columns_of(rejects, required=False))
    assert [str(kind) for kind in optional.dtypes] == ["float64"] * 4 + ["object", "float32"]
    assert pd.isna(optional["s"][0])


def test_a_model_of_mlflow_s_own_refuses_a_missing_required_whole_number() -> None:
    pyfunc = ModelFacts(known=None, integers_refuse_missing=True)
    assert reason("1,,1,1,x,1\n", MissingSettings(), pyfunc) == "missing_value l"
    assert reason("1,1,,1,x,1\n", MissingSettings(), pyfunc) == "missing_value i"
    assert reason(",1,1,,,\n", MissingSettings(), pyfunc) is None
    assert reason("1,,,1,x,1\n", MissingSettings(), pyfunc, required=False) is None


@pytest.mark.parametrize(
    ("missing_text", "facts", "becomes"),
    [
        ("auto", NO_FACTS, np.nan),
        ("auto", ModelFacts(none_columns=frozenset("s")), None),
        ("nan", ModelFacts(none_columns=frozenset("s")), np.nan),
        ("none", NO_FACTS, None),
        ("empty", NO_FACTS, ""),
    ],
)
def test_what_a_missing_text_becomes(missing_text: Any, facts: ModelFacts, becomes: Any) -> None:
    [(_, frame)] = frames("1,1,1,1,,1\n1,1,1,1,x,1\n", columns_of(MissingSettings(missing_text=missing_text), facts))
    value = frame["s"][0]
    assert value is becomes or value == becomes or (isinstance(value, float) and np.isnan(value) and becomes is np.nan)


@pytest.mark.parametrize(
    ("null_values", "texts"),
    [
        (("pandas",), ["None", None]),
        (("pandas", "None"), [None, None]),
        (("None",), [None, "NA"]),
        ((), ["None", "NA"]),
    ],
)
def test_a_word_of_the_default_list_that_the_model_knows_is_a_value_unless_the_user_lists_it(
    null_values: tuple[str, ...], texts: list[str | None]
) -> None:
    knows = ModelFacts(known={"s": frozenset(["None", "a"])})
    columns = columns_of(MissingSettings(null_values=null_values), knows)
    [(_, frame)] = frames("1,1,1,1,None,1\n1,1,1,1,NA,1\n", columns)
    assert [None if pd.isna(text) else text for text in frame["s"]] == texts


@given(st.lists(st.lists(st.booleans(), min_size=9, max_size=9), min_size=1, max_size=30))
def test_rows_alike_are_all_rows_once_and_alike(table: list[list[bool]]) -> None:
    groups = rows_alike(np.array(table))
    assert sorted(place for group in groups for place in group.tolist()) == list(range(len(table)))
    assert len({tuple(table[group[0]]) for group in groups}) == len(groups)
    for group in groups:
        assert len({tuple(table[place]) for place in group.tolist()}) == 1


def test_a_number_that_means_missing_may_be_written_as_the_files_write_it() -> None:
    settings = MissingSettings(null_values=("-999,9", "-1.5"), decimal=",")
    assert settings.numbers == {-999.9, -1.5}
    assert {"-999,9", "-1.5"} <= settings.words
