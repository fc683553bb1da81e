"""Which texts of a column a model does not know, and what would make them known."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scored import looked_at
from tests.unit.test_first_look import written
from tests.unit.test_plan import make_plan

from batchscore.commit.checks import check_limits
from batchscore.config.missing_values import NO_FACTS, MissingSettings, Vocabulary
from batchscore.errors import TooManyUnseenValuesError
from batchscore.input.columns import Column, Columns
from batchscore.input.diagnosis.text_remedies import Reading, Remedy, best_remedy, helping_remedies, joined
from batchscore.input.unseen_texts import TextCounts, TextTotals, count_texts
from batchscore.model.frames import with_missing_rules
from batchscore.output.parts import Counts
from batchscore.plan import JobSpec, parameters_of
from batchscore.preflight.column_looks import ColumnLook, looks_as_json, looks_from_json, sum_of
from batchscore.preflight.unseen import column_warnings, unseen_faults

JOBS = ["Private", "State-gov", "Self-emp-inc"]


def helps(texts: Sequence[str], known: Sequence[str], holds_missing: bool = True, **reading: object) -> str | None:
    now = replace(Reading(), **reading)  # type: ignore[arg-type] # of any field
    vocabulary = Vocabulary(frozenset(known), holds_missing)
    counts = Counter(joined(helping_remedies(text, vocabulary, now.encoding)) for text in texts)
    found = best_remedy(counts, vocabulary, now)
    return found.words if found else None


@pytest.mark.parametrize(
    ("texts", "known", "words"),
    [
        ([" Private", "\tState-gov "], JOBS, "`trim: true`"),
        ([" Private"] * 94 + [" ?"] * 6, JOBS, '`trim: true` and `null_values: [pandas, "?"]`'),
        ([" Private"] * 94 + [" "] * 6, JOBS, "`trim: true`"),
        (["Private"], [" Private", " ?"], "write them with the spaces around them that training had"),
        (["?", "-"], JOBS, '`null_values: [pandas, "-", "?"]`'),
        (["PRIVATE", "STATE-GOV"], JOBS, "write them in the upper and lower case of training"),
        (["Private"], ["private", "state-gov"], "write them in lower case, as the model knows them"),
        (["ja"], ["JA", "NEIN"], "write them in upper case, as the model knows them"),
        ([" PRIVATE"], JOBS, "`trim: true` and write them in the upper and lower case of training"),
        (["Café"], ["CafÃ©"], "`encoding: cp1252`"),
        (["CafÃ©"], ["Café"], "write the files anew, whose texts were read as cp1252 once and are not"),
        (["1.0", "2.00", "3e0"], ["1", "2", "3"], "write the numbers as the model knows them, such as 1 for 1.0"),
        (["1", "2"], ["1.0", "2.0"], "write the numbers as the model knows them, such as 1.0 for 1"),
        (["1", "2"], ["01", "02"], "write the numbers with the zeros that training had before them, such as 01 for 1"),
        (["01", "02"], ["1", "2"], "write the numbers as the model knows them, such as 1 for 1.0"),
        (["1,5"], ["1.5"], "write the numbers as the model knows them, such as 1.0 for 1"),
        (["1", "0"], ["yes", "no"], "write the words that the model knows, no and yes"),
        (["TRUE", "no", "F"], ["0", "1"], "write the words that the model knows, 0 and 1"),
        (["1.0", "0.0"], ["True", "False"], "write the words that the model knows, False and True"),
        (["0", "1"], ["F", "M"], None),  # F is a sex here
        (["new", "newer"], JOBS, None),
    ],
)
def test_what_makes_texts_known_is_named(texts: list[str], known: list[str], words: str | None) -> None:
    assert helps(texts, known) == words


def test_a_marker_of_missing_values_helps_only_where_the_model_knows_them() -> None:
    assert helps(["?"] * 9, JOBS, holds_missing=False) is None
    assert helps(["NULL", "?"], JOBS, null_values=()) == '`null_values: [pandas, "?"]`'
    assert helps(["?"], JOBS, null_values=("-999",)) == '`null_values: ["-999", "?"]`'


def test_what_means_missing_already_is_known_without_the_spaces_around_it() -> None:
    """And its key is not told again."""
    texts = [" Private", " ?", " gone"]
    reading = {"null_values": ("pandas", "?", "gone")}
    known = Vocabulary(frozenset(JOBS), holds_missing=True, words=frozenset(["", "?", "gone"]))
    counts = Counter(joined(helping_remedies(text, known, "utf-8")) for text in texts)
    found = best_remedy(counts, known, Reading(null_values=reading["null_values"]))
    assert found == Remedy("`trim: true`", 3, is_of_reading=True)


@pytest.mark.parametrize(
    ("read_as", "written_as", "named"),
    [("cp1252", "utf-8", "utf-8"), ("iso8859-1", "cp1252", "cp1252"), ("cp1252", "cp1250", "cp1250")],
)
def test_texts_of_another_encoding_name_it(read_as: str, written_as: str, named: str) -> None:
    texts = {"cp1250": "Kraków Łódź", "cp1252": "5 €"}.get(written_as, "Zürich")
    assert helps([texts.encode(written_as).decode(read_as)], [texts], encoding=read_as) == f"`encoding: {named}`"


def test_where_spaces_are_dropped_already_it_is_told_where_they_are_or_that_training_had_them() -> None:
    assert helps([" Private"], JOBS, trim=True) == "remove the spaces within the quotes"
    assert helps(["Private"], [" Private"], trim=True) == "no `trim`"


def test_one_remedy_goes_before_two_that_hardly_help_more() -> None:
    assert helps([" Private"] * 500 + ["PRIVATE"], JOBS) == "`trim: true`"


# ---------------------------------------------------------------- counts


def texts_of(values: Sequence[str | None], dictionary: Sequence[str] | None = None) -> pa.ChunkedArray:
    words = list(dictionary or dict.fromkeys(value for value in values if value is not None))
    codes = pa.array([None if value is None else words.index(value) for value in values], pa.int32())
    return pa.chunked_array([pa.DictionaryArray.from_arrays(codes, pa.array(words, pa.string()))])


def test_records_are_counted_by_column_and_a_missing_value_is_not_unseen() -> None:
    table = pa.table(
        {
            "a": texts_of(["x", "z", None, "z", "x"]),
            "b": texts_of(["x", "x", "x", "x", "x"], ["x", "gone"]),  # of a record that is invalid
            "c": texts_of(["q", "q", "q", "q", "q"]),
        }
    )
    known = {name: Vocabulary(frozenset(["x", "y"])) for name in "ab"}
    counts = count_texts(table, known)
    assert counts == TextCounts(5, {"a": 1}, {"a": 2})
    assert counts.value_count("a") == 4
    assert count_texts(table, {}) == TextCounts()


def test_what_means_missing_is_not_looked_for_among_the_records() -> None:
    """A word that means missing stays in a block's dictionary; the records that had it are null."""
    table = pa.table({"a": texts_of(["x", None, "z"], ["x", "?", "z"])})
    known = Vocabulary(frozenset(["x"]), words=frozenset(["", "?"]))
    assert count_texts(table, {"a": known}) == TextCounts(3, {"a": 1}, {"a": 1})


@given(st.lists(st.lists(st.sampled_from([*"xyzabcdef?", None]), max_size=30), max_size=5))
def test_counts_of_parts_add_up_to_those_of_the_whole(blocks: list[list[str | None]]) -> None:
    known = {"a": Vocabulary(frozenset(["x", "y"]))}
    totals = TextTotals()
    for values in blocks:
        totals.add(count_texts(pa.table({"a": texts_of(values)}), known))
    whole = [value for values in blocks for value in values]
    unseen, missing = sum(value not in ("x", "y", None) for value in whole), whole.count(None)
    assert totals.sum() == TextCounts(len(whole), {"a": missing} if missing else {}, {"a": unseen} if unseen else {})


# ---------------------------------------------------------------- the first look

COLUMNS = Columns((Column("x", "double"), Column("t", "string")), (), None, has_header=True)
KNOWN = Vocabulary(frozenset(["red", "green", "blue"]), holds_missing=True)


def spec_of(vocabulary: Vocabulary | None = KNOWN, **keys: object) -> JobSpec:
    plan = make_plan(**keys)
    columns = with_missing_rules(COLUMNS, MissingSettings(), NO_FACTS)
    return replace(plan.spec, columns=columns, vocabularies={"t": vocabulary} if vocabulary else {})


def faults_of(folder: Path, files: dict[str, list[str]], spec: JobSpec) -> tuple[list[str], list[str]]:
    """Return what stops a job of files with these texts in a column, and what it warns of."""
    contents = {name: "x,t\n" + "".join(f"1,{text}\n" for text in texts) for name, texts in files.items()}
    looked = looked_at(written(folder, {name: content.encode() for name, content in contents.items()}), spec)
    columns = looks_from_json(looks_as_json(looked.columns))  # as a task answers it
    assert columns == looked.columns
    return [str(fault) for fault in unseen_faults(spec, columns)], [
        item.what for item in column_warnings(spec, columns)
    ]


@pytest.mark.parametrize(
    ("texts", "stops", "warns"),
    [
        (["RED", "BLUE"] * 10, True, False),
        (["RED", "BLUE"] * 9 + ["RED"], False, True),
        (["RED", "BLUE"] * 19 + ["red", "blue"], True, False),  # 95 of 100
        (["RED", "BLUE"] * 18 + ["red", "blue"], False, False),
        (["new", "newer"] * 50, True, False),
        (["new", "newer"] * 49 + ["new"], False, True),
        (["new", "newer"] * 99 + ["red", "blue"], True, False),  # 99 of 100
        (["new", "newer"] * 98 + ["red", "blue"], False, False),
        (["RED", ""] * 20, True, False),  # 20 values of 40 records
        (["RED", ""] * 19, False, True),
        (["RED"] * 8 + ["newest"] * 12, False, True),  # most are not helped
        ([], False, False),
        (["red", "green"] * 60, False, False),
    ],
)
def test_nearly_all_values_must_be_unknown_and_more_where_nothing_helps(
    texts: list[str], stops: bool, warns: bool, tmp_path: Path
) -> None:
    stopped, warned = faults_of(tmp_path, {"a.csv": texts}, spec_of())
    assert (bool(stopped), bool(warned)) == (stops, warns), stopped + warned
    assert not any(text in line for line in stopped + warned for text in texts if text)  # no contents


@pytest.mark.parametrize(
    ("texts", "warned"),
    [
        ([" red"] + ["red"] * 99, "1 of 100 values read; what helps: `trim: true`"),
        ([" red"] + ["red"] * 100, ""),
        (["?"] * 5 + ["red"] * 15, '5 of 20 values read; what helps: `null_values: [pandas, "?"]`'),
        (["?", "-"] * 3 + ["red"] * 34, '6 of 40 values read; what helps: `null_values: [pandas, "-", "?"]`'),
        ([" red", "newer"] + ["blue"] * 18, ""),
        (["RED"] * 18 + ["blue"] * 2, ""),
    ],
)
def test_a_few_texts_that_keys_make_known_are_warned_of_but_none_that_training_spelt_otherwise(
    texts: list[str], warned: str, tmp_path: Path
) -> None:
    lines = [f"column t: the model does not know {warned}"] if warned else []
    assert faults_of(tmp_path, {"a.csv": texts}, spec_of()) == ([], lines)


def test_all_inputs_are_judged_together(tmp_path: Path) -> None:
    few = {f"{number}.csv": ["RED"] * 2 for number in range(10)}
    stopped, _ = faults_of(tmp_path, few, spec_of())
    assert stopped == [
        "column t: expected values that the model knows, got others in 20 of 20 values read; what helps: write them in "
        "lower case, as the model knows them (20 of them are known then); "
        "`max_unseen_fraction: 1` scores them as they are"
    ]
    assert faults_of(tmp_path, few | {"good.csv": ["red"] * 200}, spec_of()) == ([], [])


@pytest.mark.parametrize(
    ("limit", "texts", "stops"),
    [
        (0, ["new", "red"], True),
        (0, ["", "red"], False),
        (0.5, ["new", "red"], False),
        (0.5, ["new", "newer", "red"], True),
        (1, ["RED"] * 300, False),
    ],
)
def test_a_limit_of_ones_own_takes_the_place_of_both_at_any_size(
    limit: float, texts: list[str], stops: bool, tmp_path: Path
) -> None:
    stopped, warned = faults_of(tmp_path, {"a.csv": texts}, spec_of(max_unseen_fraction=limit))
    assert bool(stopped) == stops
    assert not [line for line in warned if "does not know" in line]


def test_a_column_of_which_the_model_shows_nothing_is_not_judged(tmp_path: Path) -> None:
    assert faults_of(tmp_path, {"a.csv": ["RED"] * 300}, spec_of(vocabulary=None)) == ([], [])


@pytest.mark.parametrize(
    ("texts", "known", "told"),
    [
        (["red"] * 20, KNOWN, "column t: one value in all of 20 values read, where the model knows 3"),
        (["red"] * 19, KNOWN, ""),
        (["red"] * 20, Vocabulary(frozenset(["red"])), ""),
        (["red"] * 19 + ["blue"], KNOWN, ""),
        (["red"] * 20, None, ""),
        ([""] * 20, KNOWN, "column t: missing in all of 20 records read, where the model was trained with values"),
    ],
)
def test_a_column_of_one_value_or_none_is_warned_of_where_the_model_has_more(
    texts: list[str], known: Vocabulary | None, told: str, tmp_path: Path
) -> None:
    for files in ({"a.csv": texts}, {"a.csv": texts[:10], "b.csv": texts[10:]}):
        stopped, warned = faults_of(tmp_path, files, spec_of(known))
        assert stopped == []
        assert [line.partition(";")[0] for line in warned] == ([told] if told else [])


def test_a_column_of_numbers_that_is_missing_throughout_is_warned_of_but_not_one_that_a_file_lacks(
    tmp_path: Path,
) -> None:
    spec = spec_of()
    for name, content in {"a.csv": b"x,t\n" + b",red\n,blue\n" * 10, "b.csv": b"t\n" + b"red\nblue\n" * 10}.items():
        looked = looked_at(written(tmp_path, {name: content}), spec)
        warned = [warning.column for warning in column_warnings(spec, looked.columns)]
        assert warned == (["x"] if name == "a.csv" else [])


def test_what_blocks_show_adds_up_in_any_order() -> None:
    one = {"t": ColumnLook(2, 1, 1, {"trim": 1}, "a")}
    other = {"t": ColumnLook(3, 0, 2, {"trim": 1, "": 1}, "b"), "x": ColumnLook(1)}
    added = {"t": ColumnLook(5, 1, 3, {"trim": 2, "": 1}, ""), "x": ColumnLook(1)}
    assert sum_of([one, other]) == sum_of([other, one]) == added
    assert sum_of([one, {"t": ColumnLook()}])["t"].sole == "a"


# ---------------------------------------------------------------- the whole job


def test_the_whole_job_is_held_to_the_limit_that_was_set_and_to_no_other() -> None:
    counts = Counts(10, 0, {}, {}, texts=TextCounts(10, {"t": 6}, {"t": 3}))
    check_limits(spec_of(), counts)
    check_limits(spec_of(max_unseen_fraction=0.75), counts)
    with pytest.raises(
        TooManyUnseenValuesError, match=r"fraction 0.7 .*t 3 of 4; .* raise max_unseen_fraction"
    ) as caught:
        check_limits(spec_of(max_unseen_fraction=0.7), counts)
    assert caught.value.exit_code == 5


def test_the_limit_binds_no_id() -> None:
    bound = [
        parameters_of(spec.config, spec.model, 0.4, [], "") for spec in (spec_of(), spec_of(max_unseen_fraction=0))
    ]
    assert bound[0] == bound[1]
