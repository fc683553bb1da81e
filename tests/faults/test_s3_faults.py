"""An S3 that throttles, breaks off, loses answers, keeps waiting, refuses, and whose objects change meanwhile."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

import pytest

from batchscore.commands.check import check_job
from batchscore.config.job_config import OutputConfig
from batchscore.errors import (
    BatchScoreError,
    CommitError,
    IdempotentParameterMismatchError,
    InputError,
    ObjectChangedError,
    ObjectMissingError,
)
from batchscore.storage import s3_client
from tests.faults.bench import SOAK_SEEDS, Bench, in_soak
from tests.s3.loans import make_people, put_people
from tests.s3.proxy import (
    Request,
    Script,
    after,
    cut_body,
    delay,
    land_and_drop,
    lose_answer,
    refuse,
    reset_body,
    reset_upload,
    stall,
)

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

INPUT, PART, RECEIPT = "/in/a.csv?", "/result/job-a.csv/part-00001", "/in-progress/job/task-00000001"
RECORD, COMMIT, MANIFEST = "/job.json?", "/job.manifest.json?", "/job.manifest?"

# Longer than the timeout and the rest of the job together, else a client without a timeout would do as well.
STALLED_SECONDS = 50
WORKER_STALLED_SECONDS = 240


# What passes by itself


@dataclass(frozen=True)
class Passing:
    """A fault that passes after so many requests."""

    method: str
    target: str
    script: Script
    times: int


# Played at once, the first that fits a request is played: so those of one object come before those of many.
PASSING = {
    "a_part_is_reset_in_the_body": Passing("PUT", PART, reset_upload(100), 2),
    "reads_are_throttled": Passing("GET", INPUT, refuse(503, "SlowDown"), 3),
    "reads_are_cut_short": Passing("GET", INPUT, cut_body(300), 2),
    "reads_are_reset_in_the_body": Passing("GET", INPUT, reset_body(300), 2),
    "reads_are_slow": Passing("GET", INPUT, delay(1.5), 1),
    "writes_are_throttled": Passing("PUT", "/result/", refuse(503, "SlowDown"), 3),
    "writes_are_slow": Passing("PUT", "/result/", delay(1.5), 1),
    "a_receipt_lands_and_answers_500": Passing("PUT", RECEIPT, lose_answer, 1),
    "the_record_lands_and_then_finds_itself_412": Passing("PUT", RECORD, lose_answer, 1),
    "the_commit_is_reset_in_the_body": Passing("PUT", COMMIT, reset_upload(100), 2),
    "the_commit_conflicts": Passing("PUT", COMMIT, refuse(409, "ConditionalRequestConflict"), 2),
    "the_commit_lands_and_then_finds_itself_412": Passing("PUT", COMMIT, lose_answer, 1),
    "removing_is_throttled": Passing("POST", "?delete", refuse(503, "SlowDown"), 2),
    "writes_land_and_answer_500": Passing("PUT", "/batch-prediction/job", lose_answer, 3),
    "writes_land_and_the_connection_breaks": Passing("PUT", "/batch-prediction/job", land_and_drop, 3),
}
# A soak plays each alone; the quick form plays all in one job.
PLAYED = {name: [fault] for name, fault in PASSING.items()} if SOAK_SEEDS else {"all": list(PASSING.values())}


@pytest.mark.parametrize("faults", PLAYED.values(), ids=PLAYED)
def test_what_passes_is_waited_out(faults: list[Passing], bench: Bench) -> None:
    for fault in faults:
        bench.proxy.play(fault.method, fault.target, fault.script, times=fault.times)

    bench.run()

    assert bench.proxy.unplayed() == []
    bench.prove()


@contextmanager
def not_waited_out(bench: Bench, stalled_seconds: float) -> Iterator[None]:
    """Check that all that was to stall did, and that the block ended before the first of it went on by itself."""
    began = time.monotonic()
    yield
    assert bench.proxy.unplayed() == []
    assert time.monotonic() - began < stalled_seconds


def test_a_commit_that_landed_but_was_never_answered_is_the_job_s_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_READ_TIMEOUT_SECONDS", 1)
    bench.proxy.play("PUT", COMMIT, stall(STALLED_SECONDS), times=1)

    with not_waited_out(bench, STALLED_SECONDS):
        bench.run()

    assert len(bench.proxy.seen("PUT", COMMIT)) == 2
    bench.prove()


def test_a_listing_and_a_header_that_stall_are_asked_for_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s3_client, "_READ_TIMEOUT_SECONDS", 1)
    bench.proxy.play("GET", "list-type=2", stall(STALLED_SECONDS), times=1)
    bench.proxy.play("GET", INPUT, stall(STALLED_SECONDS, sent_bytes=200), times=1)

    with not_waited_out(bench, STALLED_SECONDS):
        bench.run()

    bench.prove()


@pytest.mark.once
@pytest.mark.skipif(not SOAK_SEEDS, reason="waits for the timeouts of workers, a minute each")
@pytest.mark.parametrize(
    ("method", "target", "script"),
    [
        ("GET", "/in/c.csv?", stall(WORKER_STALLED_SECONDS)),
        ("GET", "/in/c.csv?", stall(WORKER_STALLED_SECONDS, sent_bytes=200)),
        ("PUT", "/result/job-c.csv/part-00000", stall(WORKER_STALLED_SECONDS)),
    ],
)
def test_a_worker_whose_request_stalls_asks_again(method: str, target: str, script: Script, bench: Bench) -> None:
    keys = one_input(bench)
    bench.proxy.play(method, target, script, times=1, skip=1 if method == "GET" else 0)  # the first is the driver's

    with not_waited_out(bench, WORKER_STALLED_SECONDS):
        bench.run(**keys)

    assert len(bench.proxy.seen(method, target)) >= 2
    bench.prove(**keys)


def one_input(bench: Bench) -> dict[str, str]:
    return {"input": f"s3://{bench.bucket}/in/c.csv", "schema": f"s3://{bench.bucket}/in/.schema"}


# What does not pass


@pytest.mark.parametrize(
    ("method", "target", "error", "message"),
    [
        pytest.param("GET", "/in/b.csv.gz?", InputError, "/in/b.csv.gz: expected permission to read", id="reads"),
        *in_soak(
            pytest.param("PUT", PART, CommitError, "expected permission to write, got ExpiredToken", id="writes"),
            pytest.param("PUT", COMMIT, CommitError, "expected permission to write, got ExpiredToken", id="the_commit"),
        ),
    ],
)
def test_credentials_that_expire_fail_the_job_and_with_new_ones_its_id_goes_on(
    method: str, target: str, error: type[BatchScoreError], message: str, bench: Bench
) -> None:
    skip = 1 if method == "GET" else 0  # the driver's own look at the input
    bench.proxy.play(method, target, refuse(400, "ExpiredToken"), skip=skip)

    with pytest.raises(error, match=message) as raised:
        bench.run()

    assert raised.value.exit_code == (6 if error is CommitError else 3)
    assert bench.record()["Status"] == "FAILED"
    assert message in bench.record()["Message"]
    assert bench.manifests() == []
    bench.proxy.stop()
    bench.run()
    bench.prove()


def test_credentials_that_expire_for_everything_leave_a_job_to_go_on_with(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    expired = refuse(400, "ExpiredToken")

    def expire_with_the_second_part(_: Request) -> Script | None:
        return expired if len(bench.proxy.seen("PUT", "/result/")) > 1 else None

    bench.proxy.play_chosen(expire_with_the_second_part)

    with pytest.raises(BatchScoreError, match="ExpiredToken") as raised:
        bench.run()

    assert raised.value.exit_code in {3, 6}  # whichever request meets it first
    assert "expected to write FAILED, got" in caplog.text
    assert bench.record()["Status"] == "INPROGRESS"
    assert bench.manifests() == []
    bench.proxy.stop()
    bench.run()
    bench.prove()


def test_an_input_without_permission_is_found_before_anything_is_scored(bench: Bench) -> None:
    bench.proxy.play("GET", "/in/c.csv?", refuse(403, "AccessDenied"))

    with pytest.raises(InputError, match=r"/in/c\.csv: expected permission to read, got AccessDenied"):
        bench.run()

    assert bench.proxy.seen("PUT") == []
    bench.proxy.stop()
    bench.run()
    bench.prove()


def test_an_output_without_permission_is_found_before_anything_is_scored(bench: Bench) -> None:
    bench.proxy.play("PUT", "", refuse(403, "AccessDenied"))

    with pytest.raises(CommitError, match=r"/out/.*expected permission to write, got AccessDenied"):
        bench.run()

    assert bench.proxy.seen("PUT", "/result/") == []
    bench.proxy.stop()
    bench.run()
    bench.prove()


# What changes meanwhile

Change = Callable[["S3Client", str, bytes], None]


def replaced(s3: "S3Client", bucket: str, before: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=before.replace(b"2-1", b"9-1"))


def truncated(s3: "S3Client", bucket: str, before: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=before[: len(before) // 2])


def appended(s3: "S3Client", bucket: str, before: bytes) -> None:
    s3.put_object(Bucket=bucket, Key="in/a.csv", Body=before + b"\n2-180,50,1000\n")


def deleted(s3: "S3Client", bucket: str, before: bytes) -> None:  # noqa: ARG001 - as its kin
    s3.delete_object(Bucket=bucket, Key="in/a.csv")


@pytest.mark.parametrize(
    ("change", "moment"),
    [
        *((replaced, PART), (truncated, RECORD), (appended, PART), (deleted, RECORD)),
        *in_soak((replaced, RECORD), (truncated, PART), (appended, RECORD), (deleted, PART)),
    ],
)
def test_an_input_that_changes_after_planning_fails_the_job_by_its_name(
    change: Change, moment: str, bench: Bench, s3: "S3Client"
) -> None:
    before = s3.get_object(Bucket=bench.bucket, Key="in/a.csv")["Body"].read()
    changed = Event()

    def change_it() -> None:
        change(s3, bench.bucket, before)
        changed.set()

    bench.proxy.play("PUT", moment, after(change_it), times=1)
    hold_the_last_split(bench, changed)

    with pytest.raises((ObjectChangedError, ObjectMissingError), match=r"/in/a\.csv: expected") as raised:
        bench.run()

    assert raised.value.exit_code == 3
    assert bench.record()["Status"] == "FAILED"
    assert bench.manifests() == []
    with pytest.raises(IdempotentParameterMismatchError, match="got another inputs"):
        bench.run()
    s3.put_object(Bucket=bench.bucket, Key="in/a.csv", Body=before)
    bench.run()
    bench.prove()


def hold_the_last_split(bench: Bench, until: Event) -> None:
    """Let the input's third and last split be read only after the event: two tasks run beside each other."""

    def hold(request: Request) -> Script | None:
        if request.method != "GET" or "/in/a.csv" not in request.target:
            return None
        planning = 1
        read = len(bench.proxy.seen("GET", "/in/a.csv")) - planning
        return after(lambda: until.wait(50)) if read == 3 else None

    bench.proxy.play_chosen(hold)


@pytest.fixture
def pages(bench: Bench, s3: "S3Client") -> Bench:
    """So many inputs that their listing has several pages."""
    for number in range(5):
        put_people(s3, bench.bucket, f"in/d{number}.csv", 5, seed=10 + number)
    return bench


def test_an_object_that_comes_behind_the_page_being_listed_is_scored(pages: Bench, s3: "S3Client") -> None:
    add = after(lambda: put_people(s3, pages.bucket, "in/z.csv", 5, seed=20))
    pages.proxy.play("GET", "continuation-token", add, times=1)

    pages.run()

    assert pages.prove()["inputs"][-1]["uri"].endswith("/in/z.csv")


def test_an_object_that_comes_before_the_page_being_listed_is_left_to_another_job(pages: Bench, s3: "S3Client") -> None:
    add = after(lambda: put_people(s3, pages.bucket, "in/0.csv", 5, seed=20))
    pages.proxy.play("GET", "continuation-token", add, times=1)

    pages.run()

    assert pages.proxy.unplayed() == []
    s3.delete_object(Bucket=pages.bucket, Key="in/0.csv")
    assert pages.prove()["inputs"][0]["uri"].endswith("/in/a.csv")


def test_an_object_that_goes_after_it_was_listed_is_missed_by_its_name(pages: Bench, s3: "S3Client") -> None:
    before = s3.get_object(Bucket=pages.bucket, Key="in/c.csv")["Body"].read()
    remove = after(lambda: s3.delete_object(Bucket=pages.bucket, Key="in/c.csv"))
    pages.proxy.play("GET", "continuation-token", remove, times=1)

    with pytest.raises(ObjectMissingError, match=r"/in/c\.csv: expected an object, got none"):
        pages.run()

    assert pages.manifests() == []
    s3.put_object(Bucket=pages.bucket, Key="in/c.csv", Body=before)
    pages.run()
    pages.prove()


# A disk that is full


def test_a_full_local_disk_fails_the_job_and_with_space_its_id_goes_on(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    make_people(100, seed=30).to_csv(tmp_path / "in" / "people.csv", index=False)
    keys = {"input": f"{tmp_path}/in/people.csv", "split_bytes": "1MiB", "output": f"{tmp_path}/out"}
    bench.order(*["full-disk"] * 4)

    with pytest.raises(CommitError, match=r"part-00000\.csv\.gz: expected access, got File too large") as raised:
        bench.run(**keys)

    assert raised.value.exit_code == 6
    assert not (tmp_path / "out/batch-prediction/job.manifest.json").exists()
    assert list((tmp_path / "out").rglob("*.tmp")) == []
    bench.run(**keys)
    assert check_job("job", OutputConfig(output=f"file://{tmp_path}/out")).findings == []
    bench.run(**keys | {"output": f"{tmp_path}/reference"})
    assert results(tmp_path / "out") == results(tmp_path / "reference") != {}


def results(output: Path) -> dict[str, bytes]:
    return {str(path.relative_to(output)): path.read_bytes() for path in output.rglob("*.gz")}
