"""Where inputs lie: what an entry of ``input`` names, what is skipped there, and what the inputs are called.

The oracles are Python's own glob and, in tests/spark/test_hidden_files.py, Spark's reader.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from tests.scored import csv_inputs

from batchscore.config.globs import Glob
from batchscore.config.job_config import JobConfig
from batchscore.errors import ConfigError, InputError
from batchscore.plan import check_inputs, naming_root
from batchscore.preflight.discovery import find_schema, list_inputs


def make(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a\n1\n")


def config_of(folder: Path, entries: str | list[str], **keys: Any) -> JobConfig:
    given = [entries] if isinstance(entries, str) else entries
    places = {"input": [f"{folder}/{entry}" for entry in given], "output": f"{folder}/../out"}
    return JobConfig.model_validate({"model": "models:/m/1", **places, **keys})


def below(folder: Path, uris: Iterable[str]) -> list[str]:
    return [uri.removeprefix(f"file://{folder}/") for uri in uris]


def listed(folder: Path, entries: str | list[str], **keys: Any) -> list[str]:
    return below(folder, (source.uri for source in list_inputs(config_of(folder, entries, **keys))[0]))


def skipped(folder: Path, entries: str | list[str], **keys: Any) -> dict[str, str]:
    found = list_inputs(config_of(folder, entries, **keys))[1]
    return dict(zip(below(folder, (uri for uri, _ in found)), (reason for _, reason in found), strict=True))


FILES = [
    *("in/a.csv", "in/b.csv", "in/b.txt", "in/B.csv", "in/10.csv", "in/2024-01/a.csv", "in/2024-01/deep/er/a.csv"),
    *("in/2024-02/b.csv", "in/2025-01/a.csv", "in-other/a.csv", "in2/a.csv", "a.csv", "in/x[1].csv", "in/a b.csv"),
    "in/é.csv",
]


@pytest.mark.parametrize(
    "entry",
    [
        *("in/*.csv", "in/?.csv", "in/[ab].csv", "in/[!ab].csv", "in/[a-c].*", "in/*/a.csv", "in/2024-*/*.csv"),
        *("in/2024-0[12]/?.csv", "in*/a.csv", "in/**/a.csv", "in/**/*.csv", "**/a.csv", "in/2024*/**/a.csv", "*/*/*"),
        *("in/x[[]1].csv", "in/*/*/*/a.csv", "in/**/deep/**/a.csv", "in/* *.csv", "in/é*", "in/[é-ê].csv", "*.csv"),
        *("in/[]b].csv", "in/*[0-9].csv", "in?/*", "**/*", "in/**/2024-01/*"),
    ],
)
def test_a_glob_lists_the_files_that_pythons_glob_finds(entry: str, tmp_path: Path) -> None:
    make(tmp_path, *FILES)
    found = [str(path.relative_to(tmp_path)) for path in tmp_path.glob(entry) if path.is_file()]
    assert found
    assert listed(tmp_path, entry) == sorted(found)


@pytest.mark.parametrize(
    ("entry", "files"),
    [
        ("in/2024-*/", ["in/2024-01/a.csv", "in/2024-01/deep/er/a.csv", "in/2024-02/b.csv"]),
        ("in/*/deep/", ["in/2024-01/deep/er/a.csv"]),
        ("in/**/er/", ["in/2024-01/deep/er/a.csv"]),
        ("in/2024-01/**", ["in/2024-01/a.csv", "in/2024-01/deep/er/a.csv"]),
        ("in/2024**a.csv", ["in/2024-01/a.csv", "in/2024-01/deep/er/a.csv"]),
        ("in/**b.csv", ["in/2024-02/b.csv", "in/a b.csv", "in/b.csv"]),
        ("in/2024***/a.csv", ["in/2024-01/a.csv", "in/2024-01/deep/er/a.csv"]),
        ("in/[**].csv", None),
    ],
)
def test_two_stars_go_over_folders_and_a_slash_at_the_end_means_all_below(
    entry: str, files: list[str] | None, tmp_path: Path
) -> None:
    make(tmp_path, *FILES)
    if files is None:
        with pytest.raises(InputError):
            listed(tmp_path, entry)
        return
    assert listed(tmp_path, entry) == files


@pytest.mark.parametrize("entry", ["in", "in/"])
def test_a_folder_is_the_folder_of_that_name_alone(entry: str, tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/sub/b.csv", "in-other/c.csv", "in.csv", "input/d.csv")
    assert listed(tmp_path, entry) == ["in/a.csv", "in/sub/b.csv"]
    config = config_of(tmp_path, entry)
    sources, _ = list_inputs(config)
    root = naming_root(config.input, [source.uri for source in sources])
    assert [item.name for item in csv_inputs(sources, root, 100)] == ["a.csv", "sub/b.csv"]


@pytest.mark.parametrize(
    ("entry", "others", "files"),
    [
        ("in/[1].csv", ["in/1.csv"], ["in/[1].csv"]),
        ("in/*.csv", ["in/a.csv"], ["in/*.csv"]),
        ("in/?", ["in/a"], ["in/?"]),
        ("x[1]/a.csv", ["x1/a.csv"], ["x[1]/a.csv"]),
        ("day[1]", ["day1"], ["day[1]/a.csv"]),
        ("day[1]/", ["day1/a.csv"], ["day[1]/a.csv"]),
    ],
)
def test_what_has_the_name_of_an_entry_goes_before_what_a_glob_matches(
    entry: str, others: list[str], files: list[str], tmp_path: Path
) -> None:
    make(tmp_path, *others)
    matched = listed(tmp_path, entry)
    assert matched == (["day1/a.csv"] if entry == "day[1]/" else others)
    make(tmp_path, *files)
    assert listed(tmp_path, entry) == files


def test_a_link_and_its_file_are_one_input_of_a_glob(tmp_path: Path) -> None:
    make(tmp_path, "in/b.csv", "in/sub/d.csv")
    (tmp_path / "in" / "a.csv").symlink_to("b.csv")
    (tmp_path / "in" / "c.csv").symlink_to("sub/d.csv")
    (tmp_path / "in" / "sun").symlink_to("sub")
    assert listed(tmp_path, "in/*.csv") == ["in/b.csv", "in/c.csv"]
    assert listed(tmp_path, "in/su[n]/*.csv") == ["in/sun/d.csv"]
    assert listed(tmp_path, "in/su?/*.csv") == ["in/sub/d.csv"]


def test_a_file_behind_a_hidden_folder_and_a_link_is_read_by_the_link(tmp_path: Path) -> None:
    """As Kubernetes mounts a ConfigMap: a.csv -> ..data/a.csv, ..data -> ..2026_11/."""
    make(tmp_path, "in/..2026_11/a.csv", "in/_v2/b.csv")
    (tmp_path / "in" / "..data").symlink_to("..2026_11")
    (tmp_path / "in" / "a.csv").symlink_to("..data/a.csv")
    (tmp_path / "in" / "current").symlink_to("_v2")
    for entry in ("in", "in/", "in/**"):
        assert listed(tmp_path, entry) == ["in/a.csv", "in/current/b.csv"]


def test_a_folder_that_a_flat_glob_passes_over_is_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path, "in/a.csv", "in/sub/b.csv", "in/2024/deep/c.csv")
    walked: list[str] = []
    real = os.scandir

    def noted(path: str) -> object:
        walked.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", noted)
    assert listed(tmp_path, "in/*.csv") == ["in/a.csv"]
    assert walked == [f"{tmp_path}/in"]
    walked.clear()
    assert listed(tmp_path, "in/2*/*/*.csv") == ["in/2024/deep/c.csv"]
    assert walked == [f"{tmp_path}/in", f"{tmp_path}/in/2024", f"{tmp_path}/in/2024/deep"]


# --- what is hidden


MARKERS = {
    "_SUCCESS": "hidden by its name _SUCCESS",
    "_committed_1": "hidden by its name _committed_1",
    "_started_1": "hidden by its name _started_1",
    "sub_$folder$": "folder marker",
    ".part-0.csv.crc": "hidden by its name .part-0.csv.crc",
    "_temporary/0/task_1/p.csv": "hidden in _temporary/",
    ".tmp/p.csv": "hidden in .tmp/",
    "sub/_t/p.csv": "hidden in _t/",
    "p.csv._COPYING_": "hidden by its name p.csv._COPYING_",
    "_metadata": "hidden by its name _metadata",
    "__MACOSX/p.csv": "hidden in __MACOSX/",
    ".schema": "schema",
    "notes.txt": "excluded by *.txt",
    "_old/notes.txt": "excluded by *.txt",
}


@pytest.mark.parametrize("entry", ["in/", "in", "in/**", "in/**/*", "i*/", "i?/**/*"])
def test_markers_and_hidden_files_are_skipped_and_listed_with_the_reason(entry: str, tmp_path: Path) -> None:
    inputs = ["in/_day=1/p.csv", "in/a.csv", "in/a=1/p_1.csv", "in/sub/_metadata/p.csv"]
    make(tmp_path, *(f"in/{name}" for name in MARKERS if name != "_metadata"), *inputs)
    make(tmp_path, "in/_metadata")
    assert listed(tmp_path, entry, exclude="*.txt") == inputs
    assert skipped(tmp_path, entry, exclude="*.txt") == {f"in/{name}": reason for name, reason in MARKERS.items()}


def test_the_path_above_an_entry_hides_nothing(tmp_path: Path) -> None:
    make(tmp_path, "_in/.now/a.csv", "_in/.now/_b.csv")
    for entry in ("_in/.now/", "_in/.now", "_in/.now/*.csv", "_in/.now/a.csv"):
        assert listed(tmp_path, entry) == ["_in/.now/a.csv"]
    make(tmp_path, "in/x_$folder$", "in/b.csv._COPYING_")
    for entry in ("_in/.now/_b.csv", "in/x_$folder$", "in/b.csv._COPYING_"):
        assert listed(tmp_path, entry) == [entry]


@pytest.mark.parametrize(
    ("entry", "include", "files"),
    [
        ("in/", ["*", "_*", ".*"],
         ["in/.h.csv", "in/_SUCCESS", "in/_t/0/_p.csv", "in/_t/p.csv", "in/_x.csv", "in/a.csv"]),
        ("in/", ["*"], ["in/a.csv"]),
        ("in/", ["*.csv"], ["in/a.csv"]),
        ("in/", ["?t/*", "a*"], ["in/a.csv"]),
        ("in/", ["[!a]*", "a*"], ["in/a.csv"]),
        ("in/", ["_x.csv"], ["in/_x.csv"]),
        ("in/", ["_*.csv", "*.csv"], ["in/_x.csv", "in/a.csv"]),
        ("in/", ["[_.]*.csv"], ["in/.h.csv", "in/_x.csv"]),
        ("in/", [".h.csv", "a.csv"], ["in/.h.csv", "in/a.csv"]),
        ("in/", ["_t/*"], ["in/_t/p.csv"]),
        ("in/", ["_t/*", "_p.csv"], ["in/_t/0/_p.csv", "in/_t/p.csv"]),
        ("in/**", ["_t/p*"], ["in/_t/p.csv"]),
        ("in/_*.csv", [], ["in/_x.csv"]),
        ("in/_t/*", [], ["in/_t/p.csv"]),
        ("in/_?/*.csv", [], ["in/_t/p.csv"]),
        ("in/?t/*.csv", ["_t*"], ["in/_t/p.csv"]),
        ("i*/_*.csv", [], ["in/_x.csv"]),
    ],
)  # fmt: skip
def test_hidden_files_are_taken_where_a_pattern_spells_what_hides_them(
    entry: str, include: list[str], files: list[str], tmp_path: Path
) -> None:
    make(tmp_path, "in/a.csv", "in/_x.csv", "in/.h.csv", "in/_SUCCESS", "in/_t/p.csv", "in/_t/0/_p.csv")
    assert listed(tmp_path, entry, include=include) == files


def test_include_is_matched_as_exclude_is_and_exclude_goes_last(tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/b.csv", "in/sub/a.csv", "in/sub/c.csv", "in/d.txt")
    assert listed(tmp_path, "in/", include="a.csv") == ["in/a.csv", "in/sub/a.csv"]
    assert listed(tmp_path, "in/", include="sub/*") == ["in/sub/a.csv", "in/sub/c.csv"]
    assert listed(tmp_path, "in/**", include=["*.csv"], exclude=["sub/a*", "b.csv"]) == ["in/a.csv", "in/sub/c.csv"]
    assert skipped(tmp_path, "in/", include="*.csv", exclude="sub/*") == {
        "in/d.txt": "not in include",
        "in/sub/a.csv": "excluded by sub/*",
        "in/sub/c.csv": "excluded by sub/*",
    }
    assert listed(tmp_path, ["in/a.csv", "in/d.txt"], include="*.csv") == ["in/a.csv"]


@pytest.mark.parametrize("mark", ["!", "^"])
def test_a_class_may_be_of_what_is_not_in_it_as_shells_and_hadoop_write_it(mark: str, tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/b.csv", "in/^.csv", "in/].csv", "in/_x.csv")
    assert listed(tmp_path, f"in/[{mark}ab].csv") == ["in/].csv", "in/^.csv"]
    assert listed(tmp_path, f"in/[{mark}]b].csv") == ["in/^.csv", "in/a.csv"]
    assert listed(tmp_path, "in/", include=f"[{mark}a]*.csv") == ["in/].csv", "in/^.csv", "in/b.csv"]
    assert listed(tmp_path, "in/", exclude=f"[{mark}a].csv") == ["in/a.csv"]
    assert listed(tmp_path, "in/[a^].csv") == ["in/^.csv", "in/a.csv"]


@pytest.mark.parametrize("key", ["include", "exclude"])
@pytest.mark.parametrize("pattern", ["*.{csv,txt}", "{a,b}*", "*.{csv", "txt}"])
def test_a_pattern_with_alternatives_in_braces_is_refused(key: str, pattern: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"since \{a,b\} is no pattern: give a list; \[\{\] is a brace of a name"):
        config_of(tmp_path, "in/", **{key: pattern})


def test_a_name_may_hold_braces(tmp_path: Path) -> None:
    make(tmp_path, "in/{a,b}.csv", "in/a.csv", "in/{3F25}.csv")
    assert listed(tmp_path, "in/{a,b}.csv") == ["in/{a,b}.csv"]
    assert listed(tmp_path, "in/", include="[{]a,b[}].csv") == ["in/{a,b}.csv"]
    assert listed(tmp_path, "in/", exclude="{3F25}.csv") == ["in/a.csv", "in/{a,b}.csv"]


# --- what is not there


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("inn/", "got none: there is no such folder; near it lie {}/in/"),
        ("inn", "got none: there is no such file or folder; near it lie {}/in/"),
        ("IN/", "got none: there is no such folder; near it lie {}/in/"),
        ("in/a.cvs", "got none: there is no such file or folder; near it lie {}/in/a.csv"),
        ("zzzz/", "got none: there is no such folder"),
        ("zzzz", "got none: there is no such file or folder"),
        ("in/a.csv/b.csv", "got none: there is no such file or folder"),
        ("in/a.csv/", "got none: it is a file, which is named without a / at its end"),
        ("empty/", "got none: the folder holds nothing"),
        ("empty", "got none: the folder holds nothing"),
        ("in/{a,c}.csv", "; {{a,b}} is no pattern: give a list"),
        ("in/{a,c}*", "; {{a,b}} is no pattern: give a list"),
        ("empty/*.csv", "that the glob matches, got none; {}/empty/ holds nothing"),
        ("none/*.csv", "that the glob matches, got none; {}/none/ holds nothing"),
        ("in/*.parquet", "that the glob matches, got none; {}/in/ holds 2024-01/, a.csv, b.txt"),
        ("in/a.csv/*.csv", "that the glob matches, got none; {}/in/a.csv/ holds nothing"),
        (
            "in/2024-*",
            "got none; {0}/in/ holds 2024-01/, a.csv, b.txt; the folder 2024-01/ matches: end the entry in / for what "
            "lies in such folders",
        ),
        ("many/*.x", "got none; {}/many/ holds 0.csv, 1.csv, 2.csv, 3.csv, 4.csv, and 3 more"),
    ],
)
def test_an_entry_with_nothing_says_so_and_what_lies_near(entry: str, told: str, tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/b.txt", "in/2024-01/a.csv", *(f"many/{n}.csv" for n in range(8)))
    (tmp_path / "empty").mkdir()
    for entries in (entry, ["in/a.csv", entry]):
        with pytest.raises(InputError) as caught:
            listed(tmp_path, entries)
        assert caught.value.exit_code == 3
        place = f"file://{tmp_path}"
        assert str(caught.value).startswith(f"input {place}/{entry}: expected files to score")
        assert re.search(re.escape(told.format(place)) + "$", str(caught.value))


def test_a_folder_of_skipped_files_alone_says_what_they_are(tmp_path: Path) -> None:
    make(tmp_path, "in/_SUCCESS", "in/a.txt", "more/a.csv")
    place = f"file://{tmp_path}/in"
    with pytest.raises(InputError) as caught:
        listed(tmp_path, "in", exclude="*.txt")
    assert str(caught.value) == (
        f"input {place}: expected files to score, got 2 skipped ones: {place}/_SUCCESS is hidden by its name _SUCCESS; "
        f"{place}/a.txt is excluded by *.txt"
    )
    assert listed(tmp_path, ["in", "more"], exclude="*.txt") == ["more/a.csv"]


def test_a_file_that_two_entries_list_is_refused(tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/b.csv")
    for entries in (["in/a.csv", "in/*.csv"], ["in", "in/[b].csv"], ["in/a*", "in/*a.csv"]):
        with pytest.raises(ConfigError, match="expected each file once, got twice"):
            check_inputs(list_inputs(config_of(tmp_path, entries))[0])


def test_a_bucket_has_no_wildcards(tmp_path: Path) -> None:
    for entry in ("s3://b*/in/", "s3://b[1]/a.csv", "s3a://?/a.csv", "s3://*"):
        with pytest.raises(ValueError, match="expected a bucket without wildcards"):
            JobConfig.model_validate({"model": "models:/m/1", "input": entry, "output": str(tmp_path)})


# --- names


@pytest.mark.parametrize(
    ("entries", "uris", "root"),
    [
        (["s3://b/in/*.csv"], ["s3://b/in/a.csv"], "s3://b/in/"),
        (["s3://b/in/2024-*/x.csv"], ["s3://b/in/2024-01/x.csv"], "s3://b/in/"),
        (["s3://b/in/2024-*/"], ["s3://b/in/2024-01/x.csv"], "s3://b/in/"),
        (["s3://b/**"], ["s3://b/in/deep/x.csv"], "s3://b/"),
        (["s3://b/in"], ["s3://b/in/x.csv"], "s3://b/in/"),
        (["s3://b/in"], ["s3://b/in"], "s3://b/"),
        (["s3://b/x[1].csv"], ["s3://b/x[1].csv"], "s3://b/"),
        (["s3://b/x[1]/a.csv"], ["s3://b/x[1]/a.csv"], "s3://b/x[1]/"),
        (["s3://b/x[1]"], ["s3://b/x[1]/a.csv"], "s3://b/x[1]/"),
        (["s3://b/x[1]/"], ["s3://b/x[1]/a.csv"], "s3://b/x[1]/"),
        (["s3://b/x[1]/"], ["s3://b/x1/a.csv"], "s3://b/"),
        (["s3://b/in/1/*.csv", "s3://b/in/2"], ["s3://b/in/1/a.csv", "s3://b/in/2/a.csv"], "s3://b/in/"),
        (["s3://b/in/1*", "s3://b/in/2/x.csv"], ["s3://b/in/1a", "s3://b/in/2/x.csv"], "s3://b/in/"),
        (["s3://b/*.csv", "s3://c/*.csv"], ["s3://b/a.csv", "s3://c/a.csv"], "s3://"),
    ],
)
def test_names_count_from_the_folder_that_the_folders_of_all_entries_share(
    entries: list[str], uris: list[str], root: str
) -> None:
    assert naming_root(entries, uris) == root
    assert all(uri.startswith(root) for uri in uris)


def test_what_comes_to_lie_there_changes_no_name(tmp_path: Path) -> None:
    entries = ["in/*/x*.csv", "in/more"]
    names: dict[str, str] = {}
    for new in (["in/1/x.csv", "in/more/x.csv"], ["in/2/x.csv"], ["in/more/deep/y.csv", "in/1/x2.csv"]):
        make(tmp_path, *new)
        config = config_of(tmp_path, entries)
        sources, _ = list_inputs(config)
        items = csv_inputs(sources, naming_root(config.input, [source.uri for source in sources]), 100)
        found = {item.source.uri: item.name for item in items}
        assert len(set(found.values())) == len(found)
        assert found | names == found
        names = found
    assert sorted(names.values()) == ["1/x.csv", "1/x2.csv", "2/x.csv", "more/deep/y.csv", "more/x.csv"]


# --- the schema beside


SCHEMA = '{"attributes": [{"attributeName": "a", "attributeType": "NUMERIC"}]}'


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        ("in/", "in/.schema"),
        ("in", "in/.schema"),
        ("in/*.csv", "in/.schema"),
        ("in/*/b.csv", "in/.schema"),
        ("in/s*/", "in/.schema"),
        ("in/a.csv", "in/a.csv.schema"),
        ("in/x[1].csv", "in/x[1].csv.schema"),
        ("in/s[u]b", "in/s[u]b/.schema"),
    ],
)
def test_a_schema_is_found_beside_what_an_entry_is(entry: str, place: str, tmp_path: Path) -> None:
    make(tmp_path, "in/a.csv", "in/sub/b.csv", "in/x[1].csv", "in/s[u]b/a.csv")
    config = config_of(tmp_path, entry)

    def found() -> object:
        sources, skipped = list_inputs(config)
        return find_schema(config, [*(source.uri for source in sources), *(uri for uri, _ in skipped)])[0]

    assert found() is None
    for other in ("in.schema", "in/sub.schema", "in/sub/.schema", ".schema", "in/.schema", "in/a.csv.schema"):
        if other != place:
            make(tmp_path, other)
    assert found() is None
    (tmp_path / place).write_text(SCHEMA)
    assert found() is not None


def test_a_glob_enters_the_folders_that_hold_its_matches_and_no_others() -> None:
    glob_ = Glob("s3://b/in/2024-*/x/*.csv")
    for folder in ("s3://b/", "s3://b/in/", "s3://b/in/2024-01/", "s3://b/in/2024-01/x/"):
        assert glob_.enters(folder)
    for folder in ("s3://b/out/", "s3://b/in/2025-01/", "s3://b/in/2024-01/y/", "s3://b/in/2024-01/x/deep/"):
        assert not glob_.enters(folder)
