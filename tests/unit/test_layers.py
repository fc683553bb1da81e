"""The house's layers, read off its imports: pure modules know no SDK, and each SDK has its few modules."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import batchscore

PACKAGE = Path(batchscore.__file__).parent
MODULES = {path.stem: ast.parse(path.read_text()) for path in sorted(PACKAGE.glob("*.py"))}
PURE = [
    *("errors", "config", "locations", "schema", "blocks", "lines", "values", "typed_values", "records", "predictions"),
    *("outputs", "plan", "workload", "manifest", "commit_checks", "answers", "record"),
    *("joining", "receipts", "scoring", "model_input"),
    *("committed", "rejected", "pairing"),
    *("attributes", "roles", "missing_values", "foreign_keys", "manifest_entries"),
    *("config_values", "config_yaml", "artifact_places", "model_files", "stored_json"),
    *("process_state", "spark_settings"),
    *("verdicts", "findings", "diagnosis", "exclusion", "reasons", "sample_warnings", "first_look"),
]
ALLOWED = {
    "boto3": {"s3_client", "s3_errors", "s3_storage"},
    "botocore": {"s3_client", "s3_credentials", "s3_errors", "s3_storage"},
    "mypy_boto3_s3": {"s3_client", "s3_storage"},
    "mlflow": {"model", "model_signature", "logged_parameters", "flavors", "process_state"},
    "pyspark": {"tasks", "spark_action", "udf", "session", "summary", "job"},
}
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 45


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("sdk", ALLOWED)
def test_an_sdk_is_known_to_its_modules_alone(sdk: str) -> None:
    users = {name for name, tree in MODULES.items() if any(item.split(".")[0] == sdk for item in imported(tree))}
    assert users == ALLOWED[sdk]


def test_variables_of_the_environment_are_set_by_the_module_that_puts_them_back_and_in_workers_alone() -> None:
    writes = re.compile(r"os\.environ(\[[^]]+\] =|\.(setdefault|update|pop)\()|del os\.environ|os\.putenv")
    users = {name for name in MODULES if writes.search((PACKAGE / f"{name}.py").read_text())}
    assert users == {"process_state", "threads"}


def test_importing_the_pure_modules_imports_no_sdk() -> None:
    names = [f"batchscore.{name}" for name in PURE]
    code = f"import sys, {', '.join(names)}; print(*{{'boto3', 'botocore', 'mlflow', 'pyspark'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_nothing_imports_the_command_line_and_only_it_imports_the_job() -> None:
    for name, tree in MODULES.items():
        ours = {item.removeprefix("batchscore.") for item in imported(tree) if item.startswith("batchscore.")}
        assert "cli" not in ours, name
        assert "job" not in ours or name == "cli", name


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_small(name: str) -> None:
    assert len((PACKAGE / f"{name}.py").read_text().splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(MODULES[name]):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name
