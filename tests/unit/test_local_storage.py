import errno
import io
import os
import re
import stat
import tempfile
import threading
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pytest
from tests.broken import BreaksAtRead

from batchscore.errors import (
    CommitError,
    InputError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectMissingError,
    TransientReadError,
)
from batchscore.storage.base import StoredObject, read_if_present
from batchscore.storage.local import LocalStorage

STORAGE = LocalStorage()


def test_a_listing_is_whole_and_in_key_order(tmp_path: Path) -> None:
    for name in ("b.csv", "a/z.csv", "a.csv", "a/.hidden", "_x"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    listed = list(STORAGE.list(f"file://{tmp_path}/in/"))
    names = [item.uri.removeprefix(f"file://{tmp_path}/in/") for item in listed]
    assert names == ["_x", "a.csv", "a/.hidden", "a/z.csv", "b.csv"]
    assert [item.size_in_bytes for item in listed] == [len(name) for name in names]


def test_a_linked_folder_is_listed_and_a_circle_ends(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "b.csv").write_text("b")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "circle").symlink_to(tmp_path / "real")
    listed = [item.uri for item in STORAGE.list(f"file://{tmp_path}/in/")]
    assert listed == [f"file://{tmp_path}/in/link/b.csv"]


@pytest.mark.parametrize("link", ["latest", "0-latest", "2026/day=24/circle"])
@pytest.mark.parametrize("target", ["2026/day=24", ".", "2026"])
def test_a_folder_that_a_link_leads_to_as_well_is_listed_once_and_by_its_own_name(
    link: str, target: str, tmp_path: Path
) -> None:
    (tmp_path / "in" / "2026" / "day=24").mkdir(parents=True)
    (tmp_path / "in" / "2026" / "day=24" / "a.csv").write_text("a")
    (tmp_path / "in" / "b.csv").write_text("b")
    (tmp_path / "in" / link).symlink_to(tmp_path / "in" / target)
    listed = [item.uri for item in STORAGE.list(f"file://{tmp_path}/in/")]
    assert listed == [f"file://{tmp_path}/in/2026/day=24/a.csv", f"file://{tmp_path}/in/b.csv"]


def test_a_file_that_links_lead_to_is_listed_once(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("in/b.csv", "elsewhere.csv"):
        (tmp_path / name).write_text("x")
    (tmp_path / "in" / "a.csv").symlink_to(tmp_path / "in" / "b.csv")
    (tmp_path / "in" / "c.csv").symlink_to(tmp_path / "elsewhere.csv")
    (tmp_path / "in" / "d.csv").symlink_to(tmp_path / "elsewhere.csv")
    listed = [item.uri for item in STORAGE.list(f"file://{tmp_path}/in/")]
    assert listed == [f"file://{tmp_path}/in/b.csv", f"file://{tmp_path}/in/c.csv"]


@pytest.mark.parametrize("write", [STORAGE.put, STORAGE.put_new])
def test_a_folder_that_another_job_removes_meanwhile_is_made_again(
    write: Callable[[str, IO[bytes]], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, times = tempfile.NamedTemporaryFile, iter(range(9))

    def open_file(**keys: Any) -> Any:
        if next(times) == 0:
            keys["dir"].rmdir()
        return plain(**keys)

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", open_file)
    write(f"file://{tmp_path}/folder/x", io.BytesIO(b"x"))
    assert (tmp_path / "folder" / "x").read_bytes() == b"x"


def test_a_replaced_file_is_noticed_by_its_etag(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("one")
    source = STORAGE.stat(f"file://{path}")
    assert STORAGE.read_range(source, 1, 3) == b"ne"
    os.utime(path, ns=(1, 1))
    with pytest.raises(ObjectChangedError, match=r"x\.csv: expected etag"):
        STORAGE.read_range(source, 0, 3)


def test_what_is_not_there_or_is_a_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissingError, match="expected a file, got none"):
        STORAGE.read(f"file://{tmp_path}/none")
    with pytest.raises(ObjectMissingError, match=r"got a folder \(a prefix ends in /\)"):
        STORAGE.stat(f"file://{tmp_path}")
    assert read_if_present(STORAGE, f"file://{tmp_path}/none") is None
    assert list(STORAGE.list(f"file://{tmp_path}/none/")) == []


def test_create_only_has_one_winner_among_many_writers(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/out/m.json"
    outcomes: list[str] = []

    def write(number: int) -> None:
        try:
            STORAGE.put_new(uri, io.BytesIO(b"%d" % number))
            outcomes.append(str(number))
        except ObjectExistsError:
            outcomes.append("lost")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [outcome for outcome in outcomes if outcome != "lost"]
    assert STORAGE.read(uri) == winner.encode()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["m.json"]


def test_a_write_that_breaks_leaves_what_was_there(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/x"
    STORAGE.put(uri, io.BytesIO(b"old"))
    with pytest.raises(CommitError):
        STORAGE.put(uri, BreaksAtRead(b"new", 2))
    assert STORAGE.read(uri) == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_create_only_write_from_a_file_takes_it_from_its_start(tmp_path: Path) -> None:
    content = io.BytesIO(b"whole")
    content.seek(3)
    etag = STORAGE.put_new(f"file://{tmp_path}/m.json", content)
    assert STORAGE.read(f"file://{tmp_path}/m.json") == b"whole"
    assert etag == STORAGE.put_new(f"file://{tmp_path}/other", io.BytesIO(b"whole"))


def test_a_create_only_write_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(CommitError):
        STORAGE.put_new(f"file://{tmp_path}/m.json", BreaksAtRead(b"new", 2))
    assert list(tmp_path.iterdir()) == []


def test_deleting_removes_our_empty_folders_and_no_others(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/mine/batch-prediction/in-progress/bp-1/task.json"
    STORAGE.put(uri, io.BytesIO(b"x"))
    STORAGE.delete(uri, f"{uri}-never-there")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list((tmp_path / "mine").iterdir()) == []


@pytest.mark.parametrize(
    "above", ["batch-prediction", "batch-prediction/2026", "a/batch-prediction/b/batch-prediction"]
)
def test_deleting_removes_no_folder_above_the_output_whatever_it_is_called(above: str, tmp_path: Path) -> None:
    output = tmp_path / above / "out"
    storage = LocalStorage(f"{output}")
    uris = [
        f"file://{output}/batch-prediction/in-progress/bp-1/parts-batch-prediction/x/part-00000.csv.gz",
        f"file://{output}/batch-prediction/result/bp-1-a/batch-prediction/x.gz",
    ]
    for uri in uris:
        storage.put(uri, io.BytesIO(b"x"))
    storage.delete(*uris)
    assert list(output.iterdir()) == []
    storage.put(f"file://{output}/elsewhere/x", io.BytesIO(b"x"))
    storage.delete(f"file://{output}/elsewhere/x")
    assert [path.name for path in output.iterdir()] == ["elsewhere"]


@dataclass
class Disk:
    """What was seen on the disk, in order: files and folders that were synced, and names that were given."""

    events: list[str]
    root: Path

    def name(self, path: str | Path) -> str:
        name = str(path).removeprefix(f"{self.root}").lstrip("/")
        return re.sub(r"\.[^/]{8}\.tmp$", "TEMPORARY", name) or "."

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        fsync, replace, link = os.fsync, os.replace, os.link

        def syncing(descriptor: int) -> None:
            self.events.append(f"sync {self.name(Path(f'/proc/self/fd/{descriptor}').readlink())}")
            fsync(descriptor)

        def replacing(source: str, target: Path) -> None:
            self.events.append(f"name {self.name(target)}")
            replace(source, target)

        def linking(source: str, target: Path) -> None:
            self.events.append(f"name {self.name(target)}")
            link(source, target)

        patch.setattr(os, "fsync", syncing)
        patch.setattr(os, "replace", replacing)
        patch.setattr(os, "link", linking)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    found = Disk([], tmp_path)
    found.watch(monkeypatch)
    return found


@pytest.mark.parametrize("write", [STORAGE.put, STORAGE.put_new])
def test_a_file_is_on_the_disk_before_it_has_its_name_and_the_name_before_the_write_ends(
    write: Callable[[str, IO[bytes]], str], disk: Disk, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    write(f"file://{tmp_path}/out/x", io.BytesIO(b"x"))
    assert disk.events == ["sync out/TEMPORARY", "name out/x", "sync out"]


def test_folders_that_are_made_are_on_the_disk_too(disk: Disk, tmp_path: Path) -> None:
    STORAGE.put(f"file://{tmp_path}/out/a/b/x", io.BytesIO(b"x"))
    assert disk.events == [
        *("sync out/a", "sync out", "sync ."),
        *("sync out/a/b/TEMPORARY", "name out/a/b/x", "sync out/a/b"),
    ]


def test_a_disk_that_fails_to_take_a_file_fails_the_write_and_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uri = f"file://{tmp_path}/x"
    STORAGE.put(uri, io.BytesIO(b"old"))

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    for write in (STORAGE.put, STORAGE.put_new):
        with pytest.raises(CommitError, match="expected access, got Input/output error"):
            write(uri, io.BytesIO(b"new"))
    assert (tmp_path / "x").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


@pytest.mark.parametrize(("answer", "passes"), [(errno.EINVAL, True), (errno.ENOTSUP, True), (errno.EIO, False)])
def test_a_file_system_that_syncs_no_folders_is_written_to_all_the_same(
    answer: int, passes: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def only_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(answer, "no")

    monkeypatch.setattr(os, "fsync", only_files)
    for write in (STORAGE.put, STORAGE.put_new):
        with nullcontext() if passes else pytest.raises(CommitError):
            write(f"file://{tmp_path}/{write.__name__}", io.BytesIO(b"x"))


def link_out(tmp_path: Path, place: str) -> tuple[LocalStorage, Path]:
    """Make an output in which ``place`` is a link to a folder elsewhere; return its storage and that folder."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").write_text("kept")
    link = tmp_path / "out" / place
    link.parent.mkdir(parents=True)
    link.symlink_to(elsewhere)
    return LocalStorage(f"{tmp_path}/out"), elsewhere


@pytest.mark.parametrize("place", ["batch-prediction", "batch-prediction/result", "batch-prediction/result/bp-1-x"])
@pytest.mark.parametrize("deeper", ["kept", "new", "a/b/kept"])
def test_nothing_is_written_or_removed_through_a_link_that_leads_out(tmp_path: Path, place: str, deeper: str) -> None:
    storage, elsewhere = link_out(tmp_path, place)
    uri = f"file://{tmp_path}/out/{place}/{deeper}"
    for write in (
        lambda: storage.put(uri, io.BytesIO(b"x")),
        lambda: storage.put_new(uri, io.BytesIO(b"x")),
        lambda: storage.delete(uri),
    ):
        with pytest.raises(CommitError, match=f"output {uri}: expected folders below {tmp_path}/out, got a link"):
            write()
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("kept", "kept")]


def test_nothing_is_removed_through_a_link_within_the_output(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "batch-prediction"
    (folder / "result").mkdir(parents=True)
    (folder / "result" / "part").write_text("kept")
    (folder / "in-progress").symlink_to(folder / "result")
    with pytest.raises(CommitError, match="got a link"):
        LocalStorage(f"{tmp_path}/out").delete(f"file://{folder}/in-progress/part")
    assert (folder / "result" / "part").read_text() == "kept"


def test_an_output_that_is_a_link_itself_is_the_users_choice(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "disk")
    storage = LocalStorage(f"{tmp_path}/out")
    storage.put_new(f"file://{tmp_path}/out/batch-prediction/x", io.BytesIO(b"x"))
    assert (tmp_path / "disk" / "batch-prediction" / "x").read_bytes() == b"x"


class _InPieces(io.BytesIO):
    """Gives at most three bytes a read, as an operating system may; calls an action before it gives the second."""

    def __init__(self, path: Path, between: Callable[[], object]) -> None:
        super().__init__(path.read_bytes())
        self._file = path.open("rb")
        self._between = iter([lambda: None, between])

    def read(self, size: int | None = -1) -> bytes:
        next(self._between, lambda: None)()
        return super().read(3 if size is None or size < 0 else min(size, 3))

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()
        super().close()


def test_a_range_that_comes_in_pieces_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.csv").write_bytes(b"0123456789")
    source = STORAGE.stat(f"file://{tmp_path}/a.csv")
    pieces = _InPieces(tmp_path / "a.csv", lambda: None)
    monkeypatch.setattr(Path, "open", lambda _, __: pieces)
    assert STORAGE.read_range(source, 1, 9) == b"12345678"


def test_a_range_that_ends_early_is_a_transient_error(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"01234")
    uri = f"file://{tmp_path}/a.csv"
    listed = StoredObject(uri, 10, STORAGE.stat(uri).etag)  # as a file system says that has an older size in mind
    with pytest.raises(TransientReadError, match=f"file {uri}: expected 8 bytes, got 3"):
        STORAGE.read_range(listed, 2, 10)


def test_a_file_that_changes_while_a_range_of_it_is_read_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"0123456789")
    source = STORAGE.stat(f"file://{path}")
    pieces = _InPieces(path, lambda: os.truncate(path, 4))
    monkeypatch.setattr(Path, "open", lambda _, __: pieces)
    with pytest.raises(ObjectChangedError, match="expected etag"):
        STORAGE.read_range(source, 0, 10)


def test_a_whole_file_that_ends_early_is_a_transient_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.json").write_bytes(b"0123456789")
    pieces = _InPieces(tmp_path / "a.json", lambda: None)
    monkeypatch.setattr(Path, "open", lambda _, __: pieces)
    with pytest.raises(TransientReadError, match="expected 10 bytes, got 3"):
        STORAGE.read(f"file://{tmp_path}/a.json")


def test_what_has_no_size_is_read_whole() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"id: x")
    os.close(writer)
    try:
        assert STORAGE.read(f"file:///dev/fd/{reader}") == b"id: x"
    finally:
        os.close(reader)


def test_whether_an_output_could_be_written_is_seen_without_a_trace(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path))
    storage.check_writable(f"file://{tmp_path}/batch-prediction/in-progress/x")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "batch-prediction").write_text("a file")
    with pytest.raises(CommitError, match="expected access"):
        storage.check_writable(f"file://{tmp_path}/batch-prediction/in-progress/x")


@pytest.mark.parametrize("target", ["kept", "none"])
def test_a_file_that_is_a_link_is_replaced_and_its_target_is_not_touched(tmp_path: Path, target: str) -> None:
    kept = tmp_path / "kept"
    kept.write_text("kept")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x").symlink_to(tmp_path / target)
    storage, uri = LocalStorage(f"{tmp_path}/out"), f"file://{tmp_path}/out/x"
    with pytest.raises(ObjectExistsError):
        storage.put_new(uri, io.BytesIO(b"new"))
    storage.put(uri, io.BytesIO(b"new"))
    assert not (tmp_path / "out" / "x").is_symlink()
    assert (tmp_path / "out" / "x").read_bytes() == b"new"
    assert kept.read_text() == "kept"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("place", ["../x", "batch-prediction/../../x"])
def test_a_write_beside_the_output_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(CommitError, match=f"expected a place below {tmp_path}/out"):
        LocalStorage(f"{tmp_path}/out").put_new(f"file://{tmp_path}/out/{place}", io.BytesIO(b"x"))
    with pytest.raises(CommitError, match=f"expected a place below {tmp_path}/out"):
        LocalStorage(f"{tmp_path}/out").put_new(f"file://{tmp_path}/outside/x", io.BytesIO(b"x"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("x")
    path.chmod(0)
    with pytest.raises(InputError, match="expected access, got Permission denied"):
        STORAGE.read(f"file://{path}")
