"""The layers of the package, from top to bottom: the one table, which tests hold and CONTRIBUTING shows.

``python -m tests.layers`` prints it as CONTRIBUTING has it.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).parents[1] / "src" / "batchscore"

LAYERS = (
    *("cli", "api", "commands", "report", "udf", "spark", "preflight", "results", "commit", "scoring", "plan"),
    *("output", "profile", "model", "input", "storage", "environment", "config", "process", "errors"),
)
"""Wings, and the modules beside them. Each may import those below it, and its own modules in no circle."""

SDKS = {
    "boto3": {"storage.s3_client", "storage.s3_errors", "storage.s3"},
    "botocore": {"storage.s3_client", "storage.s3_credentials", "storage.s3_errors", "storage.s3"},
    "mypy_boto3_s3": {"storage.s3_client", "storage.s3"},
    "mlflow": {
        *("model.registry", "model.lookup", "model.local_registry", "model.signature", "model.logged_parameters"),
        "model.input_example",
        "model.pickles",
        "environment",
        *(f"model.flavors.{name}" for name in ("sklearn", "lightgbm", "xgboost", "catboost", "pyfunc")),
    },
    "pyspark": {
        *("spark.tasks", "spark.action", "spark.session", "spark.home", "spark.jvm", "spark.shipped_model"),
        *(
            "spark.worker_python",
            "spark.lost_executors",
            "spark.read_inputs",
            "spark.local_session",
            "spark.rehearsal",
            "udf",
            "udf.function",
            "udf.calls",
        ),
        *("commands.summary", "commands.run", "commands.job", "api"),
        *("results.on_spark", "results.frames", "results.predictions"),
    },
}
"""The modules that may know an SDK."""


class Module(NamedTuple):
    """A module of the package; ``imports`` are modules of the package, wherever in the module they are imported.

    The package itself has none: what it names is imported when it is asked for, which tests/unit/test_names.py holds.
    """

    name: str
    tree: ast.Module
    source: str
    imports: frozenset[str]
    packages: frozenset[str]

    @property
    def layer(self) -> str:
        return self.name.partition(".")[0]

    @property
    def summary(self) -> str:
        return (ast.get_docstring(self.tree) or "").partition("\n")[0]

    @property
    def is_pure(self) -> bool:
        """Whether it promises to read and write nothing."""
        return "(pure" in self.summary or self.name == "errors"


@cache
def modules() -> dict[str, Module]:
    """Return all modules of the package by their names in it; the package itself is the empty name."""
    paths = {".".join(path.relative_to(PACKAGE).with_suffix("").parts): path for path in sorted(PACKAGE.rglob("*.py"))}
    named = {name.removesuffix("__init__").removesuffix("."): path for name, path in paths.items()}
    return {name: _read(name, path.read_text(), set(named)) for name, path in named.items()}


def _read(name: str, source: str, names: set[str]) -> Module:
    tree = ast.parse(source)
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = importlib.util.resolve_name("." * node.level + (node.module or ""), f"batchscore.{name}")
            inner = {f"{base}.{alias.name}" for alias in node.names}
            found |= {item for item in inner if item.removeprefix("batchscore.") in names} or {base}
    ours = {item for item in found if item.partition(".")[0] == "batchscore" and name}
    imports = {item.removeprefix("batchscore").removeprefix(".") for item in ours}
    return Module(name, tree, source, frozenset(imports), frozenset(item.partition(".")[0] for item in found - ours))


def table() -> str:
    """Return the layers as CONTRIBUTING shows them."""
    rows = ["| layer | what lives there |", "|---|---|"]
    for layer in LAYERS:
        module = modules()[layer]
        is_wing = (PACKAGE / layer).is_dir()
        rows.append(f"| `{layer}{'/' if is_wing else ''}` | {module.summary} |")
    return "\n".join(rows)


if __name__ == "__main__":
    print(table())
