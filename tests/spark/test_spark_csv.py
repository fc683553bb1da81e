"""``escape``: CSV as Spark writes and reads it, with Spark itself as the oracle."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from batchscore.config.job_config import S3Settings
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import MalformedRecordError, TextFormat, split_record
from batchscore.input.csv_reader import CsvReader
from batchscore.input.echo_columns import EchoColumn
from tests.unit.test_multiline import read
from tests.unit.test_open_quotes import columns_of, source_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

BACKSLASH = "\\"


def well_formed(line: str) -> bool:
    try:
        return len(split_record(line, ",", escape=BACKSLASH)) <= 3
    except MalformedRecordError:
        return False


def reader_of(count: int, *, multiline: bool) -> CsvReader:
    names = columns_of(count).names or ()
    columns = Columns((), tuple(EchoColumn(name, name) for name in names), names, has_header=False)
    return CsvReader(columns, TextFormat(escape=BACKSLASH, multiline=multiline), S3Settings())


def test_well_formed_lines_have_the_values_that_spark_reads(spark: "SparkSession", tmp_path: Path) -> None:
    bodies = ["".join(body) for size in range(1, 6) for body in product('a"\\,', repeat=size)]
    lines = [line for body in bodies for line in (f'"{body}', f"a{body}") if well_formed(line)]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    rows = spark.read.csv(f"{tmp_path}/a.csv", schema="c0 string, c1 string, c2 string").collect()
    by_spark = [["" if value is None else value for value in row] for row in rows]
    ours = [split_record(line, ",", escape=BACKSLASH) for line in lines]
    assert [values + [""] * (3 - len(values)) for values in ours] == by_spark
    assert len(lines) > 300


def test_what_spark_wrote_comes_back(spark: "SparkSession", tmp_path: Path) -> None:
    texts = ['a"b', "c,d", "", "x\\", "\\", '\\"', '"\\', '"', "a\\\\", 'p\\,q"', '""', "é", '\\\\",', "\\,\\", "plain"]
    rows = [(str(number), text, texts[number - 1]) for number, text in enumerate(texts)]
    spark.createDataFrame(rows, "c0 string, c1 string, c2 string").coalesce(1).write.csv(f"{tmp_path}/written")
    [part] = Path(tmp_path, "written").glob("*.csv")
    for multiline in (False, True):
        found = read(source_of(tmp_path, part.read_bytes()), reader_of(3, multiline=multiline))
        assert [(reason, values) for _, reason, values in found] == [(None, row) for row in rows]


def test_line_ends_that_spark_wrote_come_back_with_multiline(spark: "SparkSession", tmp_path: Path) -> None:
    rows = [("1", 'a "b"\nc\\', "x"), ("2", '\\\n"', ""), ("3", "d", "\n\n")]
    frame = spark.createDataFrame(rows, "c0 string, c1 string, c2 string").coalesce(1)
    keep = {"ignoreLeadingWhiteSpace": "false", "ignoreTrailingWhiteSpace": "false"}
    frame.write.options(**keep, quoteAll="true").csv(f"{tmp_path}/written")
    [part] = Path(tmp_path, "written").glob("*.csv")
    found = read(source_of(tmp_path, part.read_bytes()), reader_of(3, multiline=True))
    expected = [(None, tuple(value.replace("\n", " ") for value in row)) for row in rows]
    assert [(reason, values) for _, reason, values in found] == expected
