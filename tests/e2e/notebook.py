"""Runs the code cells of a notebook one after another, as Jupyter does, in any environment that has what they need.

``python -m tests.e2e.notebook PATH`` prints a line of JSON for each cell: the last value of it, as a notebook shows it.
nbclient and ipykernel would bring 40 packages, and the cells have none of IPython's own syntax.
"""

import ast
import json
import sys
from pathlib import Path
from typing import Any


def shown(value: Any) -> str | None:
    """Return what a notebook shows of a value."""
    html = value._repr_html_() if hasattr(value, "_repr_html_") else None
    return html or (None if value is None else repr(value))


def run(source: str, names: dict[str, Any]) -> str | None:
    """Run a cell; return what it shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, "cell", "exec"), names)
    return (
        shown(eval(compile(ast.Expression(last.value), "cell", "eval"), names)) if isinstance(last, ast.Expr) else None
    )


if __name__ == "__main__":
    cells = [cell for cell in json.loads(Path(sys.argv[1]).read_text())["cells"] if cell["cell_type"] == "code"]
    shared: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        print(json.dumps(run("".join(cell["source"]), shared)), flush=True)
