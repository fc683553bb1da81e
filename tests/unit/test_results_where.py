"""A condition on results: SQL that is judged record by record, and nothing beyond that."""

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tests.result_files import LaidJob

from batchscore.errors import ConfigError
from batchscore.results.condition import Condition
from batchscore.results.predictions import read_predictions

HEADER = 'tag,plan,"b,c",age,Age,group,bestAnswer,score'
LINES = 'a,gold,x,30,1,g,1,9E-1\nb,it\'s,"y,z",007,2,g,0,1E-1\nc,,x,NA,3,h,,\n\nd,GOLD,x,40,4,h,1,8E-1\n'


@pytest.fixture
def job(tmp_path: Path) -> LaidJob:
    columns = ["tag", "plan", "b,c", "age", "Age", "group", "bestAnswer", "score"]
    return LaidJob(tmp_path, HEADER, {"a.csv": [LINES[:23], LINES[23:]]}, columns=columns)


def tags(job: LaidJob, where: str, **asked: Any) -> list[str | None]:
    found: list[str | None] = read_predictions(str(job.output), "bp-1", "arrow", where=where, columns=["tag"], **asked)[
        "tag"
    ].to_pylist()
    return found


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("score >= 0.8 and plan = 'gold'", ["a"]),
        ("SCORE >= 0.8", ["a", "d"]),
        ("score >= 0.9", ["a"]),
        ("score between 0.05 and 0.85", ["b", "d"]),
        ("score is null", ["c", None]),
        ("score is null and tag is not null", ["c"]),
        ("plan = ''", ["c"]),
        ("not plan = 'gold'", ["b", "c", "d"]),
        ("plan is null", [None]),
        ("plan in ('gold', 'GOLD')", ["a", "d"]),
        ("plan = 'it''s'", ["b"]),
        ("lower(plan) = 'gold'", ["a", "d"]),
        ("plan ilike 'g%' or plan like '%''s'", ["a", "b", "d"]),
        ("\"b,c\" = 'y,z'", ["b"]),
        ("age = '30'", ["a"]),
        ("\"Age\" = '2'", ["b"]),
        ("TRY_CAST(age AS DOUBLE) > 7", ["a", "d"]),
        ("try_cast(age as int) = 7", ["b"]),
        ("\"group\" = 'h'", ["c", "d"]),
        ("bestAnswer = 1", ["a", "d"]),
        ("bestanswer", None),
        ("case when score > 0.85 then plan else tag end = 'd'", ["d"]),
        ("regexp_matches(plan, '^[gG]')", ["a", "d"]),
        ("coalesce(score, 0) < 0.5", ["b", "c", None]),
        ("plan || tag = 'golda'", ["a"]),
        ("score > 0.5 -- a comment", ["a", "d"]),
        ("score > 0.5 /* another */", ["a", "d"]),
        ("score > 0.5 and tag <> 'é'", ["a", "d"]),
        ("score > 2", []),
        (" or ".join(f"tag = 'x{number}'" for number in range(500)) + " or tag = 'b'", ["b"]),
    ],
)
def test_the_records_of_which_it_is_true_are_given_in_their_order(
    where: str, expected: list[str | None] | None, job: LaidJob
) -> None:
    if expected is None:
        with pytest.raises(
            ConfigError, match="expected a condition that is true or false, got a value of type TINYINT"
        ):
            tags(job, where)
    else:
        assert tags(job, where) == expected


def test_where_records_stand_can_be_asked_for(job: LaidJob) -> None:
    assert tags(job, "\"row\" > 1 and input like '%/a.csv'", positions=True) == ["b", "c", None, "d"]
    with pytest.raises(ConfigError, match="where: column row: expected a column of the results"):
        tags(job, "row > 1")


def test_it_sees_best_answer_by_the_threshold_that_is_asked_for(job: LaidJob) -> None:
    assert tags(job, "bestAnswer = 1", threshold=0.85) == ["a"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("score >", "expected a condition, got an end where more was to come"),
        ("", "expected a condition, got an end where more was to come"),
        ("score > 0.5 and )", r"got a syntax error at character 17, at \)"),
        ("'é' = tag anf", r"got a syntax error at character 11, at anf"),
        (
            "scor > 0.5",
            "column scor: expected a column of the results, got another; did you mean score\\?; columns: tag",
        ),
        ('plan = "gold"', "column gold: .* a text stands in single quotes"),
        ("AGE = '1'", "column AGE: expected one column, got age and Age; write it as it stands"),
        ("other.score > 1", "column other.score: expected a column"),
        ("score", "expected a condition that is true or false, got a value of type DOUBLE"),
        ("1 > 0", "expected a condition on a column, got none in it"),
        ("true", "expected a condition on a column, got none in it"),
        ("age > 30", "expected a condition that can be judged, got: Cannot compare .* TRY_CAST"),
        ("score > 'high'", "expected a condition that can be judged|expected values"),
        ("lower(score) = 'x'", "expected a condition that can be judged, got: No function matches"),
        ("score > 0; select 1", "got a syntax error at character 10"),
        ("score > 0) from read_csv('/etc/passwd') where (true", "expected one condition, got more"),
        ("score > 0), (score < 1", "expected one condition, got more"),
        ("score > 0) union select (true", "expected one condition, got more"),
        ("score > 0) limit 1 --", "where more was to come|expected one condition"),
        ("score > (select avg(score) from records)", "judged record by record, got a query within it"),
        ("exists (select 1)", "got a query within it"),
        ("plan in (from read_text('/etc/passwd') select content)", "got a query within it"),
        ("score = max(score)", "function max: expected one that a condition can use, got another"),
        ("count(*) > 1", "function count_star: expected one"),
        ("score > avg(score) over ()", "got a function of several records"),
        ("row_number() over () < 3", "got a function of several records"),
        ("random() < score", "function random: expected one"),
        ("score > 0 and now() is not null", "function now: expected one"),
        ("getenv('HOME') = tag", "function getenv: expected one"),
        ("current_setting('threads') = tag", "function current_setting: expected one"),
        ("lowre(plan) = 'x'", "function lowre: .* did you mean lower"),
        ("columns('s.*') > 1", r"got a \* for all columns"),
        ("score > ?", "got a parameter; write the value itself"),
        ("score > $1", "got a parameter; write the value itself"),
        ("plan collate nocase = 'x'", "got a collation; lower"),
        ("#8 > 0.5", "got a positional reference"),
    ],
)
def test_what_is_no_condition_on_a_record_is_refused_and_told(where: str, message: str, job: LaidJob) -> None:
    with pytest.raises(ConfigError, match=f"where: .*({message})"):
        tags(job, where)


@pytest.mark.parametrize("where", ["CAST(age AS INT) > 3", "strptime(plan, '%Y') is not null"])
def test_a_value_that_it_cannot_be_judged_of_is_an_error_that_does_not_show_it(where: str, job: LaidJob) -> None:
    with pytest.raises(
        ConfigError, match=r"where: expected values that it can be judged of, got a \w+; .*TRY_CAST"
    ) as told:
        tags(job, where)
    assert not any(text in str(told.value) for text in ("gold", "it's", "NA"))
    assert told.value.__cause__ is None


@pytest.mark.parametrize(
    "where",
    [
        *("age = 30", "30 = age", "age <> 30.5", "age in (30, 'x')", "age not in (30)", "age is distinct from 30"),
        *("case age when 30 then true else false end", "age::varchar = 30", "lower(age) = true", "age = score"),
        "score > 0 and (plan = 'gold' or age = 30)",
    ],
)
def test_a_text_is_compared_with_texts_alone_since_00501_is_not_501(where: str, job: LaidJob) -> None:
    with pytest.raises(ConfigError, match=r"where: expected texts to be compared with texts, .*TRY_CAST"):
        tags(job, where)


def test_a_condition_s_own_parentheses_stand_in_pairs_and_it_may_end_in_a_semicolon(job: LaidJob) -> None:
    with pytest.raises(ConfigError, match=r"where: .*syntax error at character 10, at \) or \(1"):
        tags(job, "score > 0) or (1 = bestAnswer")
    assert tags(job, "score > 0 ; ") == tags(job, "score > 0")


@pytest.mark.parametrize("columns", [["a.b", "x"], ["Unnamed: 0", "x"], ['say "hi"', "x"], ["1", "x"], ["é", "x"]])
def test_columns_of_odd_names_can_be_asked_for(columns: list[str]) -> None:
    schema = pa.schema([(name, pa.float64()) for name in columns])
    quoted = '"' + columns[0].replace('"', '""') + '"'
    condition = Condition(f"{quoted} > 0.5 and x < 3", schema)
    values = {name: pa.array([0.1, 0.9, None]) for name in columns}
    assert condition.holds(values).to_pylist() == [False, True, False]


def test_a_name_with_a_dot_may_stand_as_it_is() -> None:
    schema = pa.schema([("a.b", pa.float64())])
    assert Condition("a.b > 0.5", schema).holds({"a.b": pa.array([1.0])}).to_pylist() == [True]


def test_it_is_the_same_in_another_process() -> None:
    condition = Condition("score > 0.5", pa.schema([("score", pa.float64())]))
    copy: Condition = pickle.loads(pickle.dumps(condition))
    for _ in range(2):
        assert copy.holds({"score": pa.array([0.4, 0.6, None])}).to_pylist() == [False, True, False]


def test_many_records_keep_their_order() -> None:
    condition = Condition("score % 3 = 0", pa.schema([("score", pa.float64())]))
    values = pa.array(range(300_000), pa.float64())
    assert condition.holds({"score": values}).to_pylist() == [number % 3 == 0 for number in range(300_000)]
