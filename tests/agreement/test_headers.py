"""Files whose header is not the signature's: a job answers what the library answers to pandas' reading of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression

from tests.agreement.files import Spelt, spell, table
from tests.agreement.judge import check, score
from tests.agreement.models import MODELS, Trained, load, signature_of, trained
from tests.agreement.oracle import predict_by_pattern, read_as_pandas, types_of

pytestmark = pytest.mark.filterwarnings("ignore")  # hints for those who train in earnest

TAKING_GAPS = [name for name in MODELS if name != "pyfunc"]


def lacking(file: Spelt, absent: list[str]) -> Spelt:
    """Return a file without some of its columns; only lines without faults are kept."""
    frame = pd.read_csv(io.StringIO(file.valid_text), dtype=str, keep_default_na=False, skip_blank_lines=False)
    rest = frame.drop(columns=absent)
    header, *lines = rest.to_csv(index=False, lineterminator="\n").splitlines()
    return Spelt(header, lines, rest["id"].tolist(), [""] * len(lines))


@pytest.mark.parametrize("name", TAKING_GAPS)
def test_a_missing_optional_column_is_missing_in_all_records(name: str, tmp_path: Path) -> None:
    model = trained(name)
    optional = signature_of("optional", model.columns)
    assert optional is not None
    files = load(model, optional, tmp_path / "model")
    types = types_of(optional)
    whole = spell(table(60, seed=3, missing=0.06)[list(model.columns)], 4, faulty=0)
    groups = [[column] for column in model.columns] + [list(model.columns)[1:], list(model.columns)[::2]]
    for number, absent in enumerate(group for group in groups if len(group) < len(model.columns)):
        file = lacking(whole, absent)
        frame = read_as_pandas(file.text, {n: kind for n, kind in types.items() if n not in absent})
        expected, raised = predict_by_pattern(
            frame.reindex(columns=list(types)), types, model.predict, model.missing_text
        )
        folder = tmp_path / str(number)
        folder.mkdir()
        keys = {"row_id": "id", "max_invalid_fraction": 1, "split_bytes": 500}
        scored = score(file.text, files, folder, **keys, **model.keys)
        assert scored.tags == file.tags
        assert scored.reasons == np.where(raised, "model_error", "").tolist()
        np.testing.assert_allclose(scored.predictions[~raised], expected[~raised], rtol=model.tolerance)


FRAME = pd.DataFrame({"Unnamed: 0": [1.0, 2, 3, 4], "a": [2.0, 1, 4, 3], "a.1": [5.0, 9, 2, 6], "b": [1.0, 0, 0, 1]})


def linear() -> Trained:
    model = LinearRegression().fit(FRAME, [1.0, 7, 3, 9])
    return Trained(model, list(FRAME.columns))


@pytest.mark.parametrize(
    "header", [",a,b,a,id", ",a,a,b,id", ",id,a,b,b,a", ",id,a,a.1,b,a", ",a.1,id,a,b,a,", ',a,"a.1","b","",id,a']
)
def test_a_column_that_pandas_named_itself_is_found_by_that_name(header: str, tmp_path: Path) -> None:
    width = header.count(",") + 1
    place = [name.strip('"') for name in header.split(",")].index("id")
    lines = [",".join(str(10 * row + cell * cell) for cell in range(width)) for row in range(9)]
    tags = [line.split(",")[place] for line in lines]
    file = Spelt(header, lines, tags, [""] * len(lines))
    model = linear()
    files = load(model, infer_signature(FRAME), tmp_path / "model")
    scored = score(file.text, files, tmp_path, row_id="id", split_bytes=40)
    assert check(scored, file, model, dict.fromkeys(FRAME.columns, "double"), {}) == 9


@pytest.mark.parametrize(("options", "keys"), [({"header": None}, {}), ({"header": 0}, {"has_header": True})])
def test_names_give_the_columns_that_pandas_gives_with_them(
    options: dict[str, Any], keys: dict[str, Any], tmp_path: Path
) -> None:
    model = trained("imputers and encoders")
    signature = signature_of("five rows", model.columns)
    assert signature is not None
    file = spell(table(60, seed=7, missing=0.06)[list(model.columns)], 8)
    first = "x,y\n" if keys else ""
    text = first + "\n".join(file.lines) + "\n"
    valid = first + file.valid_text.partition("\n")[2]
    names = file.header.split(",")
    scored = score(
        text, load(model, signature, tmp_path / "model"), tmp_path, row_id="id", names=names, **model.keys, **keys
    )
    types = types_of(signature)
    frame = read_as_pandas(valid, types, names=names, index_col=False, **options)
    expected, raised = predict_by_pattern(frame, types, model.predict, model.missing_text)
    good = np.array([not fault for fault in file.faults])
    assert scored.tags == file.tags
    np.testing.assert_allclose(scored.predictions[good], np.where(raised[:, None], np.nan, expected), rtol=1e-9)
    assert not np.isfinite(scored.predictions[~good]).any()
