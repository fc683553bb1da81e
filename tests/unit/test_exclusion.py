"""The key ``exclude`` that a message offers leaves out the inputs it names, and scores the others."""

import os
import re
from pathlib import Path

import pytest
import yaml

from batchscore.config.exclusion import exclude_advice
from batchscore.config.job_config import JobConfig
from batchscore.errors import InputError
from batchscore.preflight.discovery import list_inputs


def config_of(folder: Path, **keys: object) -> JobConfig:
    settings = {"model": "models:/m/1", "input": f"{folder}/", "output": f"{folder}-out"}
    return JobConfig.model_validate(settings | keys)


NAMES = ["a.csv", "b.csv", "[1].csv", "x*y?.csv", "sub/c.csv", 'quote".csv', "umlaut ü.csv", "tab\there.csv", "]!.csv"]
NAMES += ["{1,2}.csv", os.fsdecode(b"no text \xff.csv")]


@pytest.mark.parametrize("name", NAMES)
def test_the_pattern_leaves_out_that_input_and_no_other(name: str, tmp_path: Path) -> None:
    for other in [*NAMES, "1.csv", "xzy1.csv", "notes.txt"]:
        (tmp_path / other).parent.mkdir(exist_ok=True)
        (tmp_path / other).touch()
    config = config_of(tmp_path, exclude="*.txt")
    uris = [source.uri for source in list_inputs(config)[0]]
    bad = f"file://{tmp_path}/{name}"

    advice = exclude_advice(config, {bad}, uris, has_record=False)

    found = re.fullmatch(r"(exclude: \[.*\]) scores the others", advice)
    assert found
    again = config_of(tmp_path, **yaml.safe_load(found[1]))
    assert [source.uri for source in list_inputs(again)[0]] == [uri for uri in uris if uri != bad]


@pytest.mark.parametrize("entry", ["in", "in/", "in/*/", "in/**/*.csv", "i*/*/b.csv", "in/s?b/*"])
def test_the_pattern_is_of_the_path_below_what_the_entry_is(entry: str, tmp_path: Path) -> None:
    for name in ("in/sub/b.csv", "in/sun/b.csv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    config = config_of(tmp_path, input=f"{tmp_path}/{entry}")
    uris = [source.uri for source in list_inputs(config)[0]]
    bad = f"file://{tmp_path}/in/sub/b.csv"
    others = [uri for uri in uris if uri != bad]

    advice = exclude_advice(config, {bad}, [*uris, f"file://{tmp_path}/other.csv"], has_record=False)

    found = re.fullmatch(r"(exclude: \[.*\]) scores the others", advice)
    assert found
    again = config.model_copy(update={"exclude": tuple(yaml.safe_load(found[1])["exclude"])})
    if others:
        assert [source.uri for source in list_inputs(again)[0]] == others
    else:
        with pytest.raises(InputError, match="got 1 skipped"):
            list_inputs(again)


def test_an_input_that_shares_its_name_with_one_below_is_told(tmp_path: Path) -> None:
    uris = [f"file://{tmp_path}/a.csv", f"file://{tmp_path}/sub/a.csv", f"file://{tmp_path}/sub/b.csv"]

    assert exclude_advice(config_of(tmp_path), {uris[0]}, uris, has_record=False) == (
        'exclude: ["a.csv"] scores the others, but for 1 of the same name'
    )
    assert exclude_advice(config_of(tmp_path), {uris[1]}, uris, has_record=False) == (
        'exclude: ["sub/a.csv"] scores the others'
    )


def test_there_is_no_advice_where_nothing_would_be_left(tmp_path: Path) -> None:
    uris = [f"file://{tmp_path}/a.csv"]
    assert exclude_advice(config_of(tmp_path), set(uris), uris, has_record=False) == ""


def test_more_inputs_than_a_line_holds_are_counted(tmp_path: Path) -> None:
    uris = [f"file://{tmp_path}/{number}.csv" for number in range(102)]
    assert exclude_advice(config_of(tmp_path), set(uris[1:]), uris, has_record=True) == (
        "key exclude: to leave out these 101 inputs scores the others; the id has a record with all inputs, so this "
        "needs a new id"
    )
