"""Why a model's files do not load, in words that name the code that is not there.

Names of modules, classes and types are no record's content: no record has been read when a model is loaded.
"""

from __future__ import annotations

import re
from types import ModuleType

from batchscore.errors import describe_without_content, raised_from
from batchscore.model.pickles import NOT_ALLOWED, VARIABLE

_HOW_TO_HAVE_IT = "install what has it in the version of training, or register the model with code_paths that bring it"
# What pickle says of a class, and Python of a name, that the module has not.
_NO_CLASS = re.compile(r"(?:Can't get attribute|cannot import name) '([\w.<>]+)' (?:on <module|from) '([\w.]+)'")


def describe_load_error(error: BaseException, flavor: str) -> str:
    """Return what was expected of a model's files and what came, without foreign messages."""
    chain = list(raised_from(error))  # MLflow wraps what a model's own code raises
    if any(VARIABLE in str(link) for link in chain):
        return NOT_ALLOWED
    expected = f"expected to load it as {flavor}, got "
    for link in chain:
        if type(link).__name__ == "UntrustedTypesFoundException":
            types = ", ".join(re.findall(r"'([\w.]+)'", str(link).partition("\n")[0]))
            return (
                f"{expected}types that skops does not trust: {types}; log it with skops_trusted_types if you trust them"
            )
        missing = _missing_code(link)
        if missing:
            return f"{expected}{missing}; {_HOW_TO_HAVE_IT}"
    return f"{expected}{describe_without_content(error)}"


def _missing_code(error: BaseException) -> str | None:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"no module {error.name}"
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType):
        return f"no {error.name} in module {error.obj.__name__}"
    found = _NO_CLASS.match(str(error)) if isinstance(error, AttributeError | ImportError) else None
    return f"no {found[1]} in module {found[2]}" if found else None
