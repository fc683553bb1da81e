"""``batchscore check``: a whole job is proven, and every way of spoiling it is found."""

import bz2
import gzip
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.committed import FinishedJob

from batchscore.cli import main
from batchscore.commands.check import check_job
from batchscore.commands.check_report import PROOFS, CheckReport
from batchscore.errors import CheckFailedError, InputError

HEADER = b"id,a,b,y\n"
PEOPLE = b"".join(b"C%d,%d,x%d,%d\n" % (number, number, number, number % 2) for number in range(40))
# Every way for a record to get no prediction, and tags that need quotes.
TEXT = (
    b'"a,b",1,x,0\n\nC2,,x,1\r\nC3,word,x,0\nC4,1\n"C5,1,x,1\n"say ""hi""",2,y,0\nC7,13,x,0\nC8,1,\xff,0\n'
    b"C9,%s,x,0\nC10,3,z,1\n=1+1,4,z,\nC12,5,z,1"
)
MIXED = TEXT % (b"9" * 103_000)
SHORT = TEXT % b"word"  # as many invalid records, for splits of a few bytes


def check(job: FinishedJob, sample: float | None = None) -> CheckReport:
    return check_job(job.plan.spec.id, job.output, sample)


def found(report: CheckReport) -> set[str]:
    return {finding.proof for finding in report.findings}


@pytest.mark.parametrize(
    ("layout", "invalid_records", "split_bytes"),
    [("parts", "blank", 60), ("parts", "keep_tag", 1 << 20), ("amazon", "blank", 1 << 20), ("amazon", "keep_tag", 60)],
)
@pytest.mark.parametrize("keys", [{}, {"redact": True}, {"has_header": False}, {"tagged": False}])
def test_a_whole_job_is_proven(
    layout: str, invalid_records: str, split_bytes: int, keys: dict[str, Any], tmp_path: Path
) -> None:
    header = b"" if keys.get("has_header") is False else HEADER
    mixed = SHORT if split_bytes == 60 else MIXED
    files = {
        "a.csv": b"\xef\xbb\xbf" + header + mixed,
        "b c/people.csv.gz": gzip.compress(header + PEOPLE[:50]) + gzip.compress(PEOPLE[50:]),
        "c.csv.bz2": bz2.compress(header + mixed),
        "empty.csv": b"",
        "only-a-header.csv": header,
    }
    job = FinishedJob(
        tmp_path, files, layout=layout, invalid_records=invalid_records, split_bytes=split_bytes, **keys
    ).commit()

    report = check(job)

    assert report.findings == []
    assert (report.records_read, report.parts_read) == (13 + 40 + 13, report.part_count)
    assert report.records_read == report.record_count
    assert report.failed.total() == 0
    tried = {proof: report.tried[proof] for proof in ("records", "tags", "predictions", "invalid records", "inputs")}
    assert tried == {
        "records": 66,
        "tags": 0 if keys.get("tagged") is False else 66,
        "predictions": 66,
        "invalid records": 66,
        "inputs": 5,
    }


@pytest.mark.parametrize("numeric", [frozenset[str](), frozenset({"id", "y"})])
@pytest.mark.parametrize("invalid_records", ["blank", "keep_tag"])
def test_escaped_formulas_are_those_of_the_input_and_unescaped_ones_are_not(
    numeric: frozenset[str], invalid_records: str, tmp_path: Path
) -> None:
    records = b'=1,1,x,-1\n-2,1,x,+x\n"\t,@",1,x,@\n+3,word,x,0\n=4,word,x,0\n-5,13,x,-5\nC6,1,x,1\n'
    keys: dict[str, Any] = {"escape_formulas": True, "invalid_records": invalid_records, "numeric": numeric}
    job = FinishedJob(tmp_path, {"a.csv": HEADER + records}, **keys).commit()
    assert check(job).findings == []
    text = gzip.decompress(job.path(PART).read_bytes())
    assert (b"\n'=1,-1," in text, b"\n-2,'+x," in text) == (bool(numeric), bool(numeric))

    edit(job, lambda manifest: manifest["input_format"].update(numeric=["y"] if not numeric else []))
    assert "tags" in found(check(job))
    edit(job, lambda manifest: manifest.update(escape_formulas=False))
    assert found(check(job)) == {"tags", "invalid records"}


def rewrite(job: FinishedJob, name: str, change: Callable[[bytes], bytes], told: bool = True) -> None:
    """Change a written file; ``told`` puts its new size and digest into the manifest, as a faulty job would have."""
    path = job.path(name)
    before, content = path.read_bytes(), gzip.compress(change(gzip.decompress(path.read_bytes())))
    path.write_bytes(content)
    if told:
        manifest = job.path("bp-1.manifest.json")
        text = manifest.read_text().replace(hashlib.sha256(before).hexdigest(), hashlib.sha256(content).hexdigest())
        text = text.replace(f'"file_size_in_bytes": {len(before)},', f'"file_size_in_bytes": {len(content)},')
        manifest.write_text(text)


def swap(first: int, second: int) -> Callable[[bytes], bytes]:
    def change(text: bytes) -> bytes:
        lines = text.split(b"\n")
        lines[first], lines[second] = lines[second], lines[first]
        return b"\n".join(lines)

    return change


def without_line(number: int) -> Callable[[bytes], bytes]:
    return lambda text: b"\n".join(line for place, line in enumerate(text.split(b"\n")) if place != number)


def without_new_keys(manifest: dict[str, Any]) -> None:
    del manifest["input_format"]["empty_last_line_is_record"]


def test_an_empty_last_line_has_no_line_in_the_result_and_one_in_amazons_layout(tmp_path: Path) -> None:
    files = {
        "a.csv": HEADER + b"C1,1,x,1\n\n",
        "b.csv": HEADER + b"C1,1,x,1\r\n\n\r\n",
        "c.csv.gz": gzip.compress(HEADER + b"C1,1,x,1\n\n"),
        "d.csv": HEADER + b"\n",
    }
    for layout, records in (("parts", 4), ("amazon", 8)):
        for split_bytes in (1, 1 << 20):
            folder = tmp_path / f"{layout}-{split_bytes}"
            folder.mkdir()
            report = check(FinishedJob(folder, files, layout=layout, split_bytes=split_bytes).commit())
            assert (report.findings, report.records_read) == ([], records)


def test_a_manifest_without_the_rule_for_it_has_an_empty_last_line_as_a_record(tmp_path: Path) -> None:
    content = HEADER + b"C1,1,x,1\n\n"
    job = FinishedJob(tmp_path, {"a.csv": content}).commit()
    edit(job, without_new_keys)
    assert found(check(job)) == {"records", "invalid records"}

    older = FinishedJob(tmp_path, {"a.csv": content}, "bp-2", layout="amazon", invalid_records="keep_tag").commit()
    assert check(older).findings == []
    edit(older, without_new_keys)
    assert check(older).findings == []
    edit(older, lambda manifest: manifest["input_format"].update(empty_last_line_is_record=False))
    assert found(check(older)) == {"records", "invalid records"}


@pytest.mark.parametrize("split_bytes", [3, 20, 1 << 20])
@pytest.mark.parametrize("layout", ["parts", "amazon"])
def test_lines_of_a_value_over_several_lines_have_no_prediction_and_the_check_agrees(
    layout: str, split_bytes: int, tmp_path: Path
) -> None:
    content = HEADER + b'C1,1,x,1\nC2,1,"he wrote\nC3,1,fine,1\nand went",1\nC4,1,x,1\n'
    job = FinishedJob(tmp_path, {"a.csv": content}, layout=layout, split_bytes=split_bytes).commit()
    report = check(job)
    assert (report.findings, report.records_read, report.reasons) == ([], 5, {"line_end_in_quotes": 3})
    edit(job, without_new_keys)  # as 0.1 wrote them, which judged each line by itself
    assert found(check(job)) >= {"invalid records"}


@pytest.mark.parametrize(("longest", "valid"), [(None, 1), ("12", 1), ("300KB", 2)])
def test_how_long_a_record_may_be_is_known_to_the_check(longest: str | None, valid: int, tmp_path: Path) -> None:
    content = HEADER + b"C1,1,x,1\r\nC2,1," + b"x" * 200_000 + b",1\n"
    keys = {} if longest is None else {"max_record_bytes": longest}
    job = FinishedJob(tmp_path, {"a.csv": content}, split_bytes=1000, **keys).commit()
    report = check(job)
    assert (report.findings, report.records_read) == ([], 2)
    assert report.reasons == ({} if valid == 2 else {"too_long": 1})
    told = json.loads(job.path("bp-1.manifest.json").read_bytes())["input_format"].get("max_record_bytes")
    assert told == {None: None, "12": 12, "300KB": 300_000}[longest]


def test_a_lone_score_that_is_kept_is_two_quotes_and_was_blank_in_manifests_without_the_rule(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}, tagged=False).commit()
    lines = gzip.decompress(job.path(PART).read_bytes()).split(b"\n")[:-1]
    assert [line == b'""' for line in lines] == [False, False, *[True] * 5, False, *[True] * 3, False, False, False]
    assert check(job).findings == []

    rewrite(job, PART, lambda text: text.replace(b'""', b""))
    assert found(check(job)) == {"invalid records"}
    edit(job, without_new_keys)
    assert check(job).findings == []


@pytest.mark.parametrize("lone", [b'"', b'"""', b"''", b'""""', b'"a"', b" "])
def test_a_lone_score_that_is_kept_is_two_quotes_alone(lone: bytes, tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + b"C1,1,x,1\nC2,x,x,1\nC3,3,x,1\n"}, tagged=False).commit()
    assert check(job).findings == []
    rewrite(job, PART, lambda text: text.replace(b'""', lone))
    assert found(check(job)) == {"invalid records"}


PART = "result/bp-1-a.csv/part-00000.csv.gz"
REJECTED = "rejected/bp-1-a.csv/part-00000.csv.gz"
# Records 1, 7, 11, 12 and 13 of MIXED have predictions; line 0 of a part is its header.
SPOILT: dict[str, tuple[str, Callable[[bytes], bytes], set[str]]] = {
    "two lines swapped": (PART, swap(11, 12), {"tags"}),
    "a prediction against a blank line": (PART, swap(1, 2), {"invalid records"}),
    "a line lost": (PART, without_line(11), {"records", "tags"}),
    "a line doubled": (PART, lambda text: text + text.split(b"\n")[-2] + b"\n", {"records"}),
    "a blank line lost": (PART, without_line(3), {"records", "tags", "invalid records"}),
    "the last line cut": (PART, lambda text: text[:-1], {"records"}),
    "no header": (PART, without_line(0), {"records", "tags", "invalid records"}),
    "an empty prediction": (PART, lambda text: text[: text.rfind(b",") + 1] + b"\n", {"predictions"}),
    "one prediction too many": (PART, lambda text: text[:-1] + b",1E0\n", {"predictions"}),
    "a word for a prediction": (PART, lambda text: text[: text.rfind(b",") + 1] + b"nan\n", {"predictions"}),
    "a tag's quotes lost": (PART, lambda text: text.replace(b'"a,b"', b"a,b"), {"tags"}),
    "a rejected row lost": (REJECTED, without_line(3), {"invalid records", "records"}),
    "a rejected row doubled": (REJECTED, lambda text: text + text.split(b"\n")[-2] + b"\n", {"invalid records"}),
    "a rejected row of another reason": (
        REJECTED,
        lambda text: text.replace(b"parse,column_count", b"parse,encoding", 1),
        {"invalid records"},
    ),
    "a rejected row of another line": (REJECTED, lambda text: text.replace(b"0,2,", b"0,3,", 1), {"invalid records"}),
    "a rejected row of another tag": (REJECTED, lambda text: text.replace(b",C3,", b",C4,", 1), {"invalid records"}),
    "no rejected file": (REJECTED, lambda _: b"x\n", {"invalid records"}),
}


# What else shows, or shows in its place, where the line of an invalid record is not blank.
SPOILT_KEPT = {
    "a prediction against a blank line": {"tags", "invalid records"},
    "an empty prediction": {"invalid records"},
}


@pytest.mark.parametrize("invalid_records", ["blank", "keep_tag"])
@pytest.mark.parametrize("spoilt", SPOILT)
def test_a_job_that_wrote_something_else_is_found_out(spoilt: str, invalid_records: str, tmp_path: Path) -> None:
    name, change, proofs = SPOILT[spoilt]
    proofs = SPOILT_KEPT.get(spoilt, proofs) if invalid_records == "keep_tag" else proofs
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}, invalid_records=invalid_records).commit()
    rewrite(job, name, change)

    report = check(job)

    assert found(report) == proofs
    with pytest.raises(CheckFailedError, match="job bp-1: expected results that hold, got") as caught:
        report.raise_if_failed()
    assert caught.value.exit_code == 8
    assert not any(cell in finding.what for finding in report.findings for cell in ("C3", "C12", "say"))


@pytest.mark.parametrize("name", [PART, REJECTED])
def test_a_file_that_was_changed_or_is_gone_is_found(name: str, tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}).commit()
    path = job.path(name)
    content = path.read_bytes()
    path.write_bytes(content[:4] + b"time" + content[8:])  # of the same size, and with the same text
    [finding] = check(job).findings
    assert finding.what.startswith("expected sha256 ")
    path.write_bytes(content + b"x")
    assert found(check(job)) == {"files"}
    path.unlink()
    [finding] = check(job).findings
    assert (finding.proof, finding.what) == ("files", "expected a file, got none")
    assert finding.where.endswith(name)


def test_an_input_that_was_changed_or_is_gone_is_found(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + PEOPLE, "b.csv": HEADER + PEOPLE}).commit()
    os.utime(tmp_path / "in" / "a.csv", ns=(1, 1))
    report = check(job)
    assert found(report) == {"inputs"}
    assert (report.parts_read, report.records_read) == (1, 40)
    (tmp_path / "in" / "a.csv").unlink()
    [finding] = check(job).findings
    assert finding.what == "expected the input that was scored, got none"


def test_reasons_that_the_rejected_rows_do_not_have_are_found(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}).commit()
    reasons = json.loads(job.path("bp-1.manifest.json").read_bytes())["invalid_reasons"]
    edit(job, lambda manifest: manifest["invalid_reasons"].update(blank=0, encoding=reasons["blank"] + 1))

    findings = check(job).findings

    assert [(finding.proof, finding.what) for finding in findings] == [
        ("invalid records", "invalid_reasons: expected those of the rows, got 1 others"),
    ]


def edit(job: FinishedJob, change: Callable[[dict[str, Any]], None]) -> None:
    path = job.path(f"{job.plan.spec.id}.manifest.json")
    manifest = json.loads(path.read_bytes())
    change(manifest)
    path.write_text(json.dumps(manifest))


def drop_input(manifest: dict[str, Any]) -> None:
    for part in manifest["inputs"].pop()["parts"]:
        manifest["record_count"] -= part["record_count"]
        manifest["invalid_record_count"] -= part["invalid_record_count"]
        manifest["invalid_reasons"]["model_error"] -= part["invalid_record_count"]


def drop_part(manifest: dict[str, Any]) -> None:
    dropped = manifest["inputs"][0]["parts"].pop()
    manifest["record_count"] -= dropped["record_count"]


def double_part(manifest: dict[str, Any]) -> None:
    parts = manifest["inputs"][0]["parts"]
    parts[1] |= {key: parts[0][key] for key in ("uri", "sha256", "file_size_in_bytes")}


def same_result(manifest: dict[str, Any]) -> None:
    first, second = manifest["inputs"]
    second |= {key: first[key] for key in ("result", "parts", "rejected")}


def count_less(manifest: dict[str, Any]) -> None:
    manifest["inputs"][0]["parts"][0]["record_count"] -= 1
    manifest["record_count"] -= 1


@pytest.mark.parametrize(
    ("change", "proofs"),
    [
        (drop_input, {"manifest", "classic manifest", "record"}),
        (drop_part, {"manifest", "record"}),
        (double_part, {"manifest", "records", "tags", "invalid records"}),
        (same_result, {"manifest", "classic manifest"}),
        (count_less, {"records", "record"}),
        (lambda manifest: manifest.update(record_count=79), {"manifest", "record"}),
        (lambda manifest: manifest.update(id="bp-2"), {"manifest"}),
        (lambda manifest: manifest["inputs"][0].update(result="file:///elsewhere/"), {"manifest", "classic manifest"}),
    ],
)
def test_a_manifest_that_contradicts_itself_is_found_out(
    change: Callable[[dict[str, Any]], None], proofs: set[str], tmp_path: Path
) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + PEOPLE, "b.csv": HEADER + PEOPLE}, split_bytes=300).commit()
    edit(job, change)
    assert found(check(job)) == proofs


def test_the_classic_manifest_and_the_record_must_agree(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + PEOPLE}).commit()
    job.path("bp-1.manifest").write_text("{}")
    record = json.loads(job.path("bp-1.json").read_bytes())
    job.path("bp-1.json").write_text(json.dumps(record | {"Status": "INPROGRESS"}))
    assert found(check(job)) == {"classic manifest", "record"}
    job.path("bp-1.manifest").unlink()
    job.path("bp-1.json").unlink()
    whats = {finding.proof: finding.what for finding in check(job).findings}
    assert whats["classic manifest"].startswith("expected a manifest, got none")
    assert whats["record"].startswith("expected a record, got none")


def test_a_profile_must_be_of_the_manifest_s_records_where_there_is_one(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}).commit()
    profile = job.path("bp-1.profile.json")
    assert check(job).tried["profile"] == 0
    manifest = json.loads(job.path("bp-1.manifest.json").read_bytes())
    told = {key: manifest[key] for key in ("id", "record_count", "invalid_record_count", "invalid_reasons")}
    profile.write_text(json.dumps(told | {"kind": "scores"}))
    assert (found(check(job)), check(job).tried["profile"]) == (set(), 1)
    for key, wrong in (("record_count", 1), ("id", "bp-2"), ("invalid_reasons", {}), ("invalid_record_count", "many")):
        profile.write_text(json.dumps(told | {key: wrong}))
        assert found(check(job)) == {"profile"}
    profile.write_text("[]")
    assert found(check(job)) == {"profile"}


def test_a_sample_reads_some_parts_and_sees_that_all_are_there(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + PEOPLE}, split_bytes=30).commit()
    count = check(job).part_count
    assert count > 10
    assert [check(job, sample).parts_read for sample in (1, 3, 1000, 0.5, 0.001)] == [1, 3, count, -(-count // 2), 1]
    part = job.path("result/bp-1-a.csv/part-00004.csv.gz")
    for spoil in (lambda: part.write_bytes(b"short"), part.unlink):
        spoil()
        assert [finding.where for finding in check(job, 1).findings] == [f"file://{part}"]


def test_what_is_no_finished_job_cannot_be_checked(tmp_path: Path) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + PEOPLE})
    with pytest.raises(InputError, match=r"output file://.*/out: expected a folder, got none; correct the key output"):
        check(job)
    job.commit()
    job.path("bp-1.manifest.json").unlink()
    with pytest.raises(
        InputError,
        match=r"job bp-1: expected a finished one, got no manifest and a record that says COMPLETED; "
        r"run it again with id=bp-1 to go on",
    ):
        check(job)
    job.path("bp-1.json").unlink()
    with pytest.raises(InputError, match=r"job bp-1: expected a job of this id below file://.*/out/batch-prediction"):
        check(job)
    for content in ("no json", "[]", "{}", '{"format_version": 2}', '{"format_version": 1}'):
        job.path("bp-1.manifest.json").write_text(content)
        with pytest.raises(InputError, match=r"manifest .*bp-1\.manifest\.json: expected"):
            check(job)


def test_the_command_prints_a_table_or_json_and_exits_with_8_for_findings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    job = FinishedJob(tmp_path, {"a.csv": HEADER + MIXED}).commit()

    assert main(["check", "bp-1", f"output={tmp_path}/out"]) == 0
    shown = capsys.readouterr().out
    assert all(proof in shown for proof in PROOFS)
    assert shown.splitlines()[-1] == "proven"

    rewrite(job, PART, swap(11, 12))
    assert main(["check", "bp-1", "--json", "--sample", "0.5", f"output={tmp_path}/out"]) == 8
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert (answer["ok"], answer["parts_read"], answer["proofs"]["tags"]) == (False, 1, {"tried": 13, "failed": 2})
    assert "CheckFailedError: job bp-1" in told.err
    assert main(["check", "bp-1", f"output={tmp_path}/out"]) == 8
    shown = capsys.readouterr().out
    assert "record 11: expected the tag and label of the input, got others (2 in all)" in shown
    assert shown.splitlines()[-1] == "wrong"


@pytest.mark.parametrize("sample", ["0", "-1", "1.5", "many"])
def test_a_sample_is_a_whole_number_of_parts_or_a_fraction(sample: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["check", "bp-1", "--sample", sample, "output=x"])
    assert caught.value.code == 2
