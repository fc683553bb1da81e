import json
import os
from pathlib import Path

import pytest
from tests.audit import check

CLEAN = json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "x"}]})
FAULT = {"id": "PYSEC-1", "fix_versions": ["1.1"], "aliases": ["CVE-1"], "description": "..."}
FOUND = json.dumps({"dependencies": [{"name": "a", "version": "1", "vulns": [FAULT]}]})


def never(*_: object) -> str:
    raise AssertionError("expected no question to the database")


def test_a_known_vulnerability_fails_the_check_and_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert check(tmp_path / "stamp", "a==1\n", lambda: True, lambda _: FOUND, ()) == 1
        assert "a 1: PYSEC-1, mended in 1.1" in capsys.readouterr().out


@pytest.mark.parametrize("ignored", ["PYSEC-1", "CVE-1"])
def test_one_that_is_ignored_by_any_of_its_names_does_not(tmp_path: Path, ignored: str) -> None:
    assert check(tmp_path / "stamp", "a==1\n", lambda: True, lambda _: FOUND, [ignored]) == 0


def test_without_a_way_to_the_database_a_line_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path / "stamp", "a==1\n", lambda: False, never) == 0
    assert capsys.readouterr().out == "pip-audit: skipped, its database cannot be reached\n"
    assert not (tmp_path / "stamp").exists()


def test_clean_packages_are_asked_about_once_a_day_and_other_ones_at_once(tmp_path: Path) -> None:
    stamp = tmp_path / "stamp"
    assert check(stamp, "a==1\n", lambda: True, lambda _: CLEAN) == 0
    assert check(stamp, "a==1\n", never, never) == 0  # type: ignore[arg-type] # must not be called
    assert check(stamp, "a==2\n", lambda: True, lambda _: FOUND, ()) == 1
    stamp.touch()
    os.utime(stamp, (1, 1))
    assert check(stamp, "a==1\n", lambda: True, lambda _: FOUND, ()) == 1


def test_an_audit_that_breaks_off_is_no_clean_one(tmp_path: Path) -> None:
    def broken(_: str) -> str:
        raise RuntimeError("Could not connect")

    with pytest.raises(RuntimeError, match="Could not connect"):
        check(tmp_path / "stamp", "a==1\n", lambda: True, broken)
    assert not (tmp_path / "stamp").exists()
