"""The house's layers, read off its imports: arrows go down, pure modules know no edge, each SDK has its few modules."""

import ast
import graphlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.layers import LAYERS, PACKAGE, SDKS, modules, table

MODULES = modules()
PURE = [name for name, module in MODULES.items() if module.is_pure]
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_MODULES_AT_THE_TOP = 8


def test_every_module_is_in_a_layer_and_every_layer_is_there() -> None:
    assert {module.layer for module in MODULES.values()} - {""} == set(LAYERS)
    assert len(list(PACKAGE.glob("*.py"))) <= MAX_MODULES_AT_THE_TOP


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_its_own_layer_and_those_below(name: str) -> None:
    below = LAYERS[LAYERS.index(MODULES[name].layer) :] if name else ()
    upwards = {item for item in MODULES[name].imports if item.partition(".")[0] not in {*below, ""}}
    assert upwards == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name: module.imports for name, module in MODULES.items()}
    list(graphlib.TopologicalSorter(graph).static_order())


def test_a_pure_module_imports_pure_ones() -> None:
    edges = {name: {item for item in MODULES[name].imports if item and not MODULES[item].is_pure} for name in PURE}
    assert {name: found for name, found in edges.items() if found} == {}


@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_is_known_to_its_modules_alone(sdk: str) -> None:
    assert {name for name, module in MODULES.items() if sdk in module.packages} == SDKS[sdk]


def test_importing_the_pure_modules_imports_no_sdk() -> None:
    names = [f"batchscore.{name}" for name in PURE]
    code = f"import sys, {', '.join(names)}; print(*{{'boto3', 'botocore', 'mlflow', 'pyspark'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_variables_of_the_environment_are_set_by_the_module_that_puts_them_back_and_in_workers_alone() -> None:
    writes = re.compile(r"os\.environ(\[[^]]+\] =|\.(setdefault|update|pop)\()|del os\.environ|os\.putenv")
    users = {name for name, module in MODULES.items() if writes.search(module.source)}
    assert users == {"environment", "spark.worker_environment"}


def test_nothing_imports_a_command_but_the_commands_and_what_people_and_programs_call() -> None:
    for name, module in MODULES.items():
        if module.layer not in {"cli", "api", "commands"}:
            assert not any(item.startswith("commands") for item in module.imports), name


def test_every_wing_says_in_a_line_what_lives_there_and_contributing_shows_it() -> None:
    contributing = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text()
    assert table() in contributing


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_small(name: str) -> None:
    assert len(MODULES[name].source.splitlines()) <= MAX_MODULE_LINES
    for node in ast.walk(MODULES[name].tree):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < MAX_FUNCTION_LINES, node.name
