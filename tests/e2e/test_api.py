"""What docs/api.md and its notebook show, on whichever PySpark the interpreter has."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.demo import REPOSITORY, clean_environment, result_files, result_lines, run_batchscore, settings
from tests.processes import SHORT_LIVED

NOTEBOOK = REPOSITORY / "docs" / "api.ipynb"
BAD_LINES = (
    "C1,old,admin,single,1,cellular,1,310,Hugo Ito,202-555-0100",
    "C2,34,admin,single,1",
    "",
    'C4,34,"admin,single,1,cellular,1,310,Inés Costa,202-555-0101',
)


@pytest.fixture
def folder(demo: Path, tmp_path: Path) -> Path:
    """A folder with a ``demo`` of its own, whose customers have some records that cannot be scored."""
    own = tmp_path / "demo"
    (own / "input").mkdir(parents=True)
    (own / "mlflow.db").symlink_to(demo / "mlflow.db")
    for path in sorted((demo / "input").iterdir()):
        header, *lines = path.read_text().splitlines()
        lines = lines[:400]
        lines[100:300:50] = BAD_LINES
        (own / "input" / path.name).write_text("\n".join([header, *lines]) + "\n")
    return tmp_path


def run_python(folder: Path, *arguments: str) -> list[Any]:
    """Run Python in a folder and return the lines of JSON that it prints, others left out."""
    variables = {"PYTHONPATH": f"{REPOSITORY}:{REPOSITORY / 'src'}", "PYSPARK_PYTHON": sys.executable}
    environment = clean_environment(**variables, JAVA_TOOL_OPTIONS=SHORT_LIVED)
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found = []
    for line in done.stdout.splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:  # what a cell prints itself
            continue
    return found


def shown_pipeline() -> str:
    """Return the program of docs/api.md that scores what read_inputs gives."""
    text = (REPOSITORY / "docs" / "api.md").read_text()
    [program] = re.findall(r"<!-- tests/e2e/test_api\.py runs it -->\n```python\n(.*?)```", text, re.DOTALL)
    return str(program)


_READ_BACK = """
rows = spark.read.parquet("demo/scores").orderBy("_input", "_row").collect()
spark.stop()
import json
print(json.dumps([row.asDict() for row in rows]))
"""


def test_the_shown_pipeline_gives_the_job_s_predictions_and_null_for_its_invalid_records(folder: Path) -> None:
    keys = settings(folder / "demo", "job", id="job", precision="full")  # one split of each input
    run_batchscore("run", *keys, "spark.master=local[2]")
    program = shown_pipeline().replace('row_id="customerId",', 'row_id="customerId",\n    split_bytes=5000,')
    assert "split_bytes=5000" in program

    [rows] = run_python(folder, "-c", program + _READ_BACK)

    names = ("customers-1.csv", "customers-2.csv")
    lines = [line.split(",") for name in names for line in result_lines(folder / "demo" / "job", "job", name)]
    assert len(rows) == len(lines) == 800
    assert [(row["_input"], row["_row"]) for row in rows] == [
        ((folder / "demo" / "input" / name).as_uri(), number) for name in names for number in range(1, 401)
    ]
    for row, (tag, _, score) in zip(rows, lines, strict=True):
        assert row["customerId"] == (tag or None)
        assert row["score"] == (pytest.approx(float(score), rel=1e-9) if score else None)
    reasons = [row["_invalid"] for row in rows if row["_invalid"]]
    assert reasons == ["invalid_value", "column_count", "blank", "unbalanced_quote"] * 2
    assert [row["customerId"] for row in rows if row["called"]] == ["C0000001"]


def test_the_notebook_runs_from_its_first_cell_to_its_last(folder: Path) -> None:
    (folder / "docs").mkdir()

    shown = run_python(folder / "docs", "-m", "tests.e2e.notebook", str(NOTEBOOK))

    review, result, record, likely, *_, best = (text for text in shown if text)
    assert "<strong>ready</strong>" in review
    assert "COMPLETED" in result
    assert "800, 8 of them invalid (blank 2, column_count 2, invalid_value 2, unbalanced_quote 2)" in result
    assert record == "('COMPLETED', 800, ['tag', 'name', 'phone', 'bestAnswer', 'score'])"
    assert likely.count("<tr") == 6
    assert all(f"<th>{name}</th>" in likely for name in ("tag", "name", "phone", "score"))
    assert best.count("<tr") == 6
    assert [name.partition("/")[0] for name in result_files(folder / "demo" / "output")] == [
        "notebook-customers-1.csv",
        "notebook-customers-2.csv",
    ]


def test_the_notebook_is_kept_without_what_its_cells_showed() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])
    assert len(NOTEBOOK.read_bytes()) < 10_000
