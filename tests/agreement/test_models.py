"""Tables with gaps and faults, models of each library: a job answers what the library answers to pandas' reading."""

import json
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from batchscore.preflight.planner import LoadedModel
from tests.agreement.files import spell, table
from tests.agreement.judge import check, score
from tests.agreement.models import MODELS, load, signature_of, trained
from tests.agreement.oracle import Types, read_as_pandas, types_of

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

SIGNATURES = ["five rows", "all rows", "optional", "none"]


@dataclass(frozen=True)
class Words:
    """Which words mean missing: as a job's keys say it, as pandas' options do, and how a file spells them."""

    keys: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    spellings: tuple[str, ...] = ("", "NA", "NaN", "None", "null", "#N/A", "<NA>", "n/a", "-nan", "1.#IND")


DEFAULT = Words()
OWN_WORD = Words({"null_values": ["?"]}, {"keep_default_na": False, "na_values": ["", "?"]}, ("", "?"))
NUMBER = Words({"null_values": ["pandas", "-999"]}, {"na_values": ["-999"]}, ("", "NA", "-999", "-999.0"))
EMPTY = Words({"null_values": []}, {"keep_default_na": False, "na_values": [""]}, ("",))
WORDS = {"the default": DEFAULT, "a word of one's own": OWN_WORD, "a number": NUMBER, "the empty cell": EMPTY}


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], tuple[LoadedModel, Types]]:
    """Return a saved model with the types of its inputs, each loaded once."""
    kept: dict[tuple[str, str], tuple[LoadedModel, Types]] = {}

    def of(name: str, signature: str) -> tuple[LoadedModel, Types]:
        if (name, signature) not in kept:
            model = trained(name)
            logged = signature_of(signature, model.columns)
            types = {column: "string" if column in "st" else "double" for column in model.columns}
            folder = tmp_path_factory.mktemp("model") / "files"
            kept[name, signature] = load(model, logged, folder), types if logged is None else types_of(logged)
        return kept[name, signature]

    return of


def schema_of(columns: Sequence[str]) -> str:
    kinds = {"s": "CATEGORICAL", "t": "CATEGORICAL", "b": "BINARY"}
    names = [("id", "CATEGORICAL"), *((name, kinds.get(name, "NUMERIC")) for name in columns)]
    attributes = [{"attributeName": name, "attributeType": kind} for name, kind in names]
    schema = {"version": "1.0", "rowId": "id", "dataFormat": "CSV", "dataFileContainsHeader": True}
    return json.dumps(schema | {"attributes": attributes})


@pytest.mark.parametrize("signature", SIGNATURES)
@pytest.mark.parametrize("name", [name for name in MODELS if name != "pyfunc"])
def test_a_job_answers_what_the_library_answers_to_pandas_reading(
    name: str, signature: str, loaded: Callable[[str, str], tuple[LoadedModel, Types]], tmp_path: Path
) -> None:
    model = trained(name)
    files, types = loaded(name, signature)
    if signature == "none":
        (tmp_path / "people.csv.schema").write_text(schema_of(model.columns))
    seed = zlib.crc32(f"{name} {signature}".encode())
    of_file = list(WORDS.values())[seed % len(WORDS)]
    for words, split_bytes in ((DEFAULT, 10_000_000), (of_file, 1_500)):
        data = table(70, seed, missing=0.06)[list(model.columns)]
        file = spell(data, seed, spellings=words.spellings)
        scored = score(file.text, files, tmp_path, row_id="id", split_bytes=split_bytes, **model.keys, **words.keys)
        check(scored, file, model, types, words.options)


@pytest.mark.parametrize("signature", ["five rows", "all rows", "optional"])
def test_a_pyfunc_model_gets_what_pandas_reads_but_no_missing_required_whole_number(
    signature: str, loaded: Callable[[str, str], tuple[LoadedModel, Types]], tmp_path: Path
) -> None:
    model = trained("pyfunc")
    files, types = loaded("pyfunc", signature)
    file = spell(table(90, seed=5, missing=0.06), seed=6)
    whole = [name for name, kind in types.items() if kind in ("long", "integer")]
    lacks = read_as_pandas(file.valid_text, types)[whole].isna().any(axis=1) & (signature == "five rows")
    valid = iter(lacks.tolist())
    faults = [fault or ("missing_value" if next(valid) else "") for fault in file.faults]
    file = replace(file, faults=faults)
    check(score(file.text, files, tmp_path, row_id="id", **model.keys), file, model, types, {})
    assert ("missing_value" in faults) == (signature == "five rows")
