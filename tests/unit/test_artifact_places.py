from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchscore.config.artifact_prefixes import is_below_one, place_of
from batchscore.config.job_config import load_config
from batchscore.errors import ConfigError


@pytest.mark.parametrize(
    ("uri", "prefix"),
    [
        ("s3://b/models", "s3://b/models"),
        ("s3://b/models/m-1/artifacts", "s3://b/models/"),
        ("s3a://b/models/m-1", "s3://b/models"),
        ("s3://b/m", "s3://b"),
        ("mlflow-artifacts:/1/models/m-1", "mlflow-artifacts:/1"),
        ("file:///data/models/m-1", "/data/models"),
        ("/data/my models/m-1", "file:///data/my%20models"),
        ("gs://b/models/a/b", "gs://b/models/a"),
    ],
)
def test_what_lies_in_a_folder_or_is_it_is_below_it(uri: str, prefix: str) -> None:
    assert is_below_one(uri, [prefix])
    assert is_below_one(uri, ["s3://another/place", prefix])


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "s3://b/models-evil",
            "s3://b/models-evil/m",
            "s3://b/model",
            "s3://b",
            "s3://bb/models/m",
            "s3://b.evil/models",
        ),
        *("s3://b/models/../evil", "s3://b/models/%2e%2e/evil", "s3://b/models/%252E./evil", "s3://b/models/..%2fevil"),
        *(
            "s3://b/models/.",
            "s3://b/models?x=/m",
            "s3://b/models#/m",
            "s3://b/models\\..\\evil",
            "s3://b/models/\n../x",
        ),
        *(
            "gs://b/models/m",
            "http://b/models/m",
            "s3://u@b/models/m",
            "file:///b/models/m",
            "b/models/m",
            "//b/models/m",
        ),
        *("models:/m/1", "runs:/1/model", "", " s3://b/models/m", "s3:b/models", "s3:///b/models/m"),
    ],
)
def test_what_lies_elsewhere_or_could_is_not(uri: str) -> None:
    assert not is_below_one(uri, ["s3://b/models", "s3://b/models/"])
    assert not is_below_one(uri, [])


def test_a_link_does_not_make_a_local_folder_lie_in_another(tmp_path: Path) -> None:
    allowed, evil = f"{tmp_path}/allowed", f"{tmp_path}/evil"
    for folder in (allowed, evil):
        Path(folder).mkdir()
    Path(allowed, "link").symlink_to(evil)
    assert is_below_one(f"{allowed}/m", [allowed])
    assert not is_below_one(f"{allowed}/link/m", [allowed])


@given(st.text("ab./%2eE\\?#:@ ", max_size=20))
def test_no_spelling_below_a_prefix_climbs_out_of_it(rest: str) -> None:
    uri = f"s3://b/models{rest}"
    if is_below_one(uri, ["s3://b/models"]):
        assert place_of(uri)[:2] == ("s3", "b")
        assert uri == "s3://b/models" or uri.startswith("s3://b/models/")
        assert not {"..", "."} & set(uri.replace("%2e", ".").replace("%2E", ".").split("/"))


@pytest.mark.parametrize("prefix", ["models:/m/1", "runs:/x", "s3://b/../x", "s3://b/m?x", ""])
def test_a_prefix_that_is_no_place_is_refused(prefix: str) -> None:
    with pytest.raises(ConfigError, match=r"key allowed_artifact_prefixes\.0: expected a URI"):
        load_config("{model: 'models:/m/1', input: a, output: b}", [f"allowed_artifact_prefixes=['{prefix}']"])


def test_prefixes_are_a_list_or_one() -> None:
    text = "{model: 'models:/m/1', input: a, output: b}"
    assert load_config(text).allowed_artifact_prefixes == ()
    one = load_config(text, ["allowed_artifact_prefixes=s3://b/models"])
    assert one.allowed_artifact_prefixes == ("s3://b/models",)
