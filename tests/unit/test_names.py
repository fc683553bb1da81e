"""The names that programs import from the package: typed, documented, and imported when they are asked for."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import batchscore

HEAVY = ("boto3", "mlflow", "numpy", "pandas", "pyarrow", "pyspark")
NAMES = (
    "BatchScoreError",
    "JobConfig",
    "JobResult",
    "predict_udf",
    "read_inputs",
    "read_predictions",
    "score",
    "verify",
)


@pytest.mark.parametrize(
    "line",
    [
        "import batchscore",
        "from batchscore import JobConfig; JobConfig(model='models:/m/1', input=('in/',), output='out')",
        "from batchscore import score, verify, read_predictions, read_inputs, predict_udf, JobConfig, JobResult",
        "import batchscore.commands.job_text, batchscore.commit.jobs",  # what list and describe need
    ],
)
def test_importing_the_names_imports_no_library_of_data_or_spark(line: str) -> None:
    program = f"import sys; {line}; print(*(name for name in {HEAVY} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("\n", "")


COMMAND = f"""
import sys
from batchscore.cli import main
from batchscore.spark.session import BackgroundSpark

def start(self):
    print(*(name for name in {HEAVY} if name in sys.modules))
    sys.exit()

BackgroundSpark.start = start
main(["run", "model=models:/m/1", "input=in/", f"output={{sys.argv[1]}}"])
"""


def test_a_job_of_the_command_line_tells_spark_to_start_before_it_imports_a_library_of_data(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", COMMAND, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout == "\n", done.stderr


def test_the_package_lists_its_names_and_has_no_others() -> None:
    assert [name for name in dir(batchscore) if not name.startswith("_")] == list(NAMES)
    assert sorted(batchscore.__all__) == list(NAMES)
    with pytest.raises(AttributeError, match="module 'batchscore' has no attribute 'scores'"):
        batchscore.scores  # noqa: B018


def test_type_checkers_see_each_name_in_the_module_that_it_comes_from() -> None:
    tree = ast.parse(Path(batchscore.__file__).read_text())
    [block] = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == batchscore._PLACES
    assert (Path(batchscore.__file__).parent / "py.typed").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_each_name_is_documented_where_it_is_and_in_docs_api(name: str) -> None:
    value = getattr(batchscore, name)
    assert inspect.getdoc(value)
    assert f"`{name}" in (Path(__file__).parents[2] / "docs" / "api.md").read_text()
