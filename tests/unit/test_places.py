"""An output that the inputs would list is refused before the first run, and before anything is written."""

from pathlib import Path
from typing import Any

import pytest

from batchscore.cli import main
from batchscore.config.job_config import JobConfig
from batchscore.errors import ConfigError
from batchscore.preflight.places import check_places


def check(input_uris: Any, output: str, exclude: Any = ()) -> None:
    check_places(
        JobConfig.model_validate({"model": "models:/m/1", "input": input_uris, "output": output, "exclude": exclude})
    )


@pytest.mark.parametrize(
    ("input_uris", "output"),
    [
        ("s3://b/in/", "s3://b/in"),
        ("s3://b/in/", "s3://b/in/"),
        ("s3://b/in/", "s3://b/in/results"),
        ("s3://b/in/", "s3://b/in/deep/er"),
        ("s3://b/", "s3://b"),
        ("s3://b/", "s3://b/x/y"),
        ("s3a://b/in/", "s3n://b/in/results"),
        (["s3://b/other.csv", "s3://c/", "s3://b/in/"], "s3://b/in/results"),
        ("s3://b/x/batch-prediction/", "s3://b/x"),
        ("s3://b/x/batch-prediction", "s3://b/x"),
        ("s3://b/in", "s3://b/in/results"),
        ("in", "in"),
        ("s3://b/in/**", "s3://b/in/results"),
        ("s3://b/in/**/*.csv", "s3://b/in"),
        ("s3://b/*/**", "s3://b/in/results"),
        ("s3://b/in/res*/", "s3://b/in/results"),
        ("s3://b/in/*/batch-*/*.csv", "s3://b/in/results"),
        ("s3://b/**.csv", "s3://b/in/results"),
        ("s3://b/in/*/*", "s3://b/in"),
        ("s3://b/x/batch-prediction/*.csv", "s3://b/x"),
        ("s3://b/x/batch-prediction/result/*/", "s3://b/x"),
        ("s3://b/x[1]", "s3://b/x[1]/out"),
        ("s3://b/x[1]/*.csv", "s3://b/x[1]/*.csv/out"),
        ("/data/in/**", "/data/in/results"),
        ("/data/*/", "/data/in/results"),
        ("s3://b/x/batch-prediction/result/", "s3://b/x"),
        ("s3://b/x/batch-prediction/result/bp-1-a.csv/part-00000.csv.gz", "s3://b/x"),
        ("/data/in/", "/data/in"),
        ("/data/in/", "file:///data/in/results"),
        ("/data/in/", "/data/out/../in/results"),
        ("/data/other/../in/", "/data/in/results"),
        ("/data/x/batch-prediction/bp-1.json", "/data/x"),
    ],
)
def test_an_output_whose_results_an_input_lists_is_refused(input_uris: Any, output: str) -> None:
    with pytest.raises(ConfigError, match="key output: expected results outside of the inputs, got ") as caught:
        check(input_uris, output)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("input_uris", "output"),
    [
        ("s3://b/in/", "s3://b/out"),
        ("s3://b/in/", "s3://b/in-results"),
        ("s3://b/in/", "s3://b"),
        ("s3://b/x/in/", "s3://b/x"),
        ("s3://b/x/batch-predictions/", "s3://b/x"),
        ("s3://b/x/a.csv", "s3://b/x"),
        ("s3://b/in/", "s3://B/in"),
        ("s3://b/In/", "s3://b/in"),
        ("s3://b//in/", "s3://b/in"),
        ("s3://b/data/in/", "/data/in"),
        ("/data/in/", "s3://data/in"),
        ("/data/x/in/", "/data/x"),
        ("/data/x/a.csv", "/data/x"),
        ("/data/in/", "/data/in2"),
        ("/data/in/../a/", "/data/in"),
        ("s3://b/in/*.csv", "s3://b/in"),
        ("s3://b/in/*", "s3://b/in/results"),
        ("s3://b/in/*", "s3://b/in"),
        ("s3://b/in/2*/**", "s3://b/in/results"),
        ("s3://b/in/2*/", "s3://b/in/results"),
        ("s3://b/in/**", "s3://b/in-results"),
        ("s3://b/in", "s3://b/in-results"),
        ("s3://b/in/*/x/*.csv", "s3://b/in/results"),
        ("/data/in/*.csv", "/data/in"),
        ("/data/in/2*/*", "/data/in/results"),
        ("s3://b/in/", "s3://b/in/_results"),
        ("s3://b/in/**", "s3://b/in/.results/of/jobs"),
    ],
)
def test_an_output_beside_or_above_the_inputs_is_fine(input_uris: Any, output: str) -> None:
    check(input_uris, output)


@pytest.mark.parametrize(
    "exclude",
    ["results/*", "results/batch-prediction/*", "*batch-prediction/*", "res*", ["*.txt", "results/b?tch*"], "*"],
)
def test_an_output_that_one_pattern_excludes_whole_is_fine(exclude: Any) -> None:
    check("s3://b/in/", "s3://b/in/results", exclude)


@pytest.mark.parametrize(
    "exclude",
    ["results", "results/", "result/*", "Results/*", "*.gz", "batch-prediction/*", "results/batch-prediction/r*",
     "results/batch-prediction/", "results/batch-prediction?",
     ["*.gz", "*.json", "*.manifest", "*.log", "*.tmp"]],
)  # fmt: skip
def test_an_output_of_which_patterns_leave_something_is_refused_with_the_pattern_that_would_do(exclude: Any) -> None:
    with pytest.raises(ConfigError, match=r"or exclude results/batch-prediction/\*$"):
        check("s3://b/in/", "s3://b/in/results", exclude)


def test_the_pattern_that_is_named_excludes_the_output() -> None:
    with pytest.raises(ConfigError, match=r"exclude (.*)$") as caught:
        check("s3://b/in/", "s3://b/in/[x]*?")
    check("s3://b/in/", "s3://b/in/[x]*?", [str(caught.value).rpartition("exclude ")[2]])


def folder(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    path.mkdir(parents=True)
    return path


def test_a_local_output_behind_a_link_is_one_below_the_input(tmp_path: Path) -> None:
    inputs = folder(tmp_path, "in")
    (tmp_path / "out").symlink_to(inputs)
    for output in ("out", "out/results"):
        with pytest.raises(ConfigError, match="below the input"):
            check(f"{inputs}/", f"{tmp_path}/{output}")
    check(f"{inputs}/", f"{tmp_path}/out/results", "results/*")


def test_a_hidden_output_that_include_or_the_entry_names_is_refused() -> None:
    places = {"model": "models:/m/1", "output": "s3://b/in/_results"}
    for keys in ({"input": "s3://b/in/", "include": ["*", "_*"]}, {"input": "s3://b/in/_*/**"}):
        with pytest.raises(ConfigError, match=r"exclude (_results/)?batch-prediction/\*$|_results"):
            check_places(JobConfig.model_validate(places | keys))


def test_the_links_that_a_glob_follows_are_looked_at_and_no_others(tmp_path: Path) -> None:
    inputs, results = folder(tmp_path, "data/in"), folder(tmp_path, "out/batch-prediction/result")
    folder(tmp_path, "data/in/deep")
    (inputs / "latest").symlink_to(tmp_path / "out")
    (inputs / "deep" / "a.gz").symlink_to(results / "bp-1-a.gz")
    for entry in (f"{inputs}/**", f"{inputs}/l*/", f"{inputs}/*/batch-prediction/*.csv", f"{inputs}/d*/*.gz"):
        with pytest.raises(ConfigError, match="below the input"):
            check(entry, f"{tmp_path}/out")
    for entry in (f"{inputs}/*.csv", f"{inputs}/l*/*.csv", f"{inputs}/d*/*.csv"):
        check(entry, f"{tmp_path}/out")


def test_a_local_input_behind_a_link_is_one_above_the_output(tmp_path: Path) -> None:
    inputs = folder(tmp_path, "disk/in")
    (tmp_path / "in").symlink_to(inputs)
    with pytest.raises(ConfigError, match="below the input"):
        check(f"{tmp_path}/in/", f"{inputs}/results/x")


@pytest.mark.parametrize("made", ["out", "out/batch-prediction", "out/batch-prediction/result"])
@pytest.mark.parametrize("link", ["latest", "deep/er/latest"])
def test_a_link_in_an_input_that_leads_to_the_output_or_above_it_is_seen(made: str, link: str, tmp_path: Path) -> None:
    inputs = folder(tmp_path, "data/in")
    folder(tmp_path, made)
    (inputs / "deep" / "er").mkdir(parents=True)
    (inputs / link).symlink_to(tmp_path / made)
    with pytest.raises(ConfigError, match=f"exclude {link}/"):
        check(f"{inputs}/", f"{tmp_path}/out")
    check(f"{inputs}/", f"{tmp_path}/out", f"{link}/*")
    check(f"{inputs}/", f"{tmp_path}/out", "*latest*")


def test_a_file_that_links_to_a_result_is_one(tmp_path: Path) -> None:
    inputs, results = folder(tmp_path, "in"), folder(tmp_path, "out/batch-prediction/result")
    (inputs / "plain.csv").write_text("x")
    (inputs / "deep").mkdir()
    (inputs / "deep" / "a.gz").symlink_to(results / "bp-1-a.gz")
    for entry in (f"{inputs}/", f"{inputs}/deep/a.gz"):
        with pytest.raises(ConfigError, match="expected results outside of the inputs"):
            check(entry, f"{tmp_path}/out")
    for pattern in ("a.gz", "*.gz", "deep/a.gz", "deep/*"):
        check(f"{inputs}/", f"{tmp_path}/out", pattern)
    check(f"{inputs}/plain.csv", f"{tmp_path}/out")


def test_links_elsewhere_are_fine(tmp_path: Path) -> None:
    inputs = folder(tmp_path, "x/in")
    (inputs / "more").symlink_to(folder(tmp_path, "x/more"))
    (inputs / "circle").symlink_to(inputs)
    check(f"{inputs}/", f"{tmp_path}/x")


@pytest.mark.parametrize("command", ["verify", "run"])
def test_verify_and_run_refuse_it_before_they_write_anything(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = folder(tmp_path, "in")
    (inputs / "a.csv").write_text("a\n1\n")
    arguments = ["model=models:/m/1", f"tracking_uri=sqlite:///{tmp_path}/none.db", f"input={inputs}/"]
    assert main([command, *arguments, f"output={inputs}/results"]) == 2
    told = capsys.readouterr()
    assert "key output: expected results outside of the inputs" in told.out + told.err
    assert [path.name for path in inputs.iterdir()] == ["a.csv"]
