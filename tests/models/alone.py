"""A process for which nothing is installed but what batchscore and some of its extras require, as setup.cfg has it.

``python -m tests.models.alone EXTRA FILE`` loads and scores the models of a pickled file and prints the scores as JSON,
``python -m tests.models.alone EXTRA --installed MODULE...`` prints which modules can be found.
"""

import json
import pickle
import sys
from collections.abc import Iterable
from configparser import ConfigParser
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import DistributionFinder, PackageNotFoundError, PathDistribution, distribution
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

SETUP = Path(__file__).parents[2] / "setup.cfg"


def requirements(extra: str) -> list[Requirement]:
    """Return what batchscore with an extra, or none, requires itself."""
    parser = ConfigParser()
    parser.read(SETUP)
    texts = [parser["options"]["install_requires"]] + ([parser["options.extras_require"][extra]] if extra else [])
    return [Requirement(line) for text in texts for line in text.splitlines() if line]


def closure(pending: list[Requirement]) -> set[str]:
    """Return the names of all installed distributions that requirements bring."""
    seen = set[tuple[str, frozenset[str]]]()
    while pending:
        wanted = pending.pop()
        key = canonicalize_name(wanted.name), frozenset(wanted.extras)
        if key in seen:
            continue
        seen.add(key)
        try:
            lines = distribution(wanted.name).requires or []
        except PackageNotFoundError:  # of another platform, or of an extra that nothing here has
            continue
        extras = ("", *wanted.extras)
        pending += [
            item
            for item in map(Requirement, lines)
            if item.marker is None or any(item.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return {name for name, _ in seen}


class Alone(PathFinder):
    """Finds modules and distributions as ever, but those that ``limit_to`` leaves out."""

    names: set[str]
    hidden: set[str]

    @classmethod
    def limit_to(cls, names: set[str]) -> None:
        files: dict[bool, set[str]] = {True: set(), False: set()}
        for found in PathFinder.find_distributions():
            files[canonicalize_name(found.metadata["Name"]) in names] |= {
                str(Path(str(found.locate_file(file))).resolve()) for file in found.files or () if file.suffix != ".pyc"
            }
        cls.names, cls.hidden = names, files[False] - files[True]
        sys.meta_path[sys.meta_path.index(PathFinder)] = cls

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        spec = super().find_spec(fullname, path, target)
        if spec and spec.origin and str(Path(spec.origin).resolve()) in cls.hidden:
            return None
        return spec

    @classmethod
    def find_distributions(
        cls,
        context: DistributionFinder.Context = DistributionFinder.Context(),  # noqa: B008 - as its base has it
    ) -> Iterable[PathDistribution]:
        found = super().find_distributions(context)
        return (item for item in found if canonicalize_name(item.metadata["Name"]) in cls.names)


def _score(folder: Path, version: Any, frame: Any) -> Any:
    from batchscore.model.flavors import PredictorSettings
    from batchscore.model.predictor import load_predictor, predict_records

    predictor = load_predictor(folder, version, PredictorSettings())
    predictions, failures = predict_records(predictor, frame, 0)
    assert not failures
    return predictions.tolist()


def _main(extra: str, *arguments: str) -> dict[str, Any]:
    Alone.limit_to({"batchscore"} | closure(requirements(extra)))
    if arguments[0] == "--installed":
        return {name: find_spec(name) is not None for name in arguments[1:]}
    models = pickle.loads(Path(arguments[0]).read_bytes())
    return {name: _score(*model) for name, model in models.items()}


if __name__ == "__main__":
    json.dump(_main(*sys.argv[1:]), sys.stdout)
