"""Unix sockets of a session: a private folder, gone with the process, and TCP where there can be none."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from batchscore.spark.sockets import holds_sockets

PROGRAM = """
import os, sys
from pathlib import Path
from batchscore.spark.sockets import socket_settings
folder = socket_settings().get("spark.python.unix.domain.socket.dir")
if not os.fork():  # a child that ends leaves it to its parent
    sys.exit()
os.wait()
if folder:
    print(folder, oct(Path(folder).stat().st_mode & 0o777), socket_settings() == socket_settings(), os.listdir(folder))
    os.rmdir(folder)
    print(socket_settings())
    os.mkdir(folder)
    Path(folder, ".left.sock").touch()
"""


def _told(temporary: Path) -> list[str]:
    environment = os.environ | {"TMPDIR": str(temporary)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_folder_is_one_and_private_and_goes_with_the_process_and_without_it_there_is_none(tmp_path: Path) -> None:
    told, without = _told(tmp_path)

    folder, *others = told.split(" ", 1)
    assert Path(folder).parent in (tmp_path, Path("/tmp"))
    assert others == ["0o700 True []"]
    assert without == "{}"
    assert not Path(folder).exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["long" * 30, "é"])
def test_where_the_temporary_folder_s_name_is_none_for_sockets_another_is_taken(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()

    told, _ = _told(tmp_path / name)

    assert told.startswith("/tmp/batchscore-")
    assert list((tmp_path / name).iterdir()) == []


@pytest.mark.parametrize(("length", "holds"), [(61, True), (62, False)])
def test_a_folder_s_name_leaves_room_for_a_socket_s(length: int, holds: bool) -> None:
    folder = Path("/tmp", str(os.getpid()).ljust(length - len("/tmp/"), "x"))
    folder.mkdir()
    try:
        assert holds_sockets(folder) is holds
        assert list(folder.iterdir()) == []
    finally:
        folder.rmdir()


def test_a_folder_that_is_gone_holds_none() -> None:
    assert not holds_sockets(Path("/tmp/batchscore-none"))


def test_a_system_without_such_sockets_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    assert holds_sockets(Path("/tmp"))
    monkeypatch.delattr(socket, "AF_UNIX")
    assert not holds_sockets(Path("/tmp"))
