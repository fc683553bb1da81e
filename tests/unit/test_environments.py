"""The environments that the Makefile makes: of which Python, when anew, and of which versions."""

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")

# What the Makefile asks of an interpreter: whether it is old, its version and path, its path, and an environment.
INTERPRETER = """#!/bin/sh
case "$*" in
  *"< (3, 11)"*) exit {is_old} ;;
  *version_info*) echo "{version} $0" ;;
  *realpath*) echo "$0" ;;
  "-m venv --clear"*)
    mkdir -p $4/bin
    for name in pip uv python; do printf '#!/bin/sh\\n' > $4/bin/$name; chmod +x $4/bin/$name; done ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The Makefile beside empty files, and a home without interpreters."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    for name in ("setup.cfg", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).touch()
    for name in ("src", "jobs", "commands"):
        (tmp_path / name).mkdir()
    return tmp_path


def put(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script)
    path.chmod(0o755)
    return path


def python(checkout: Path, version: str, folder: str = "commands") -> Path:
    is_old = int(version in {"3.9", "3.10"})
    return put(checkout / folder / f"python{version}", INTERPRETER.format(version=version, is_old=is_old))


def make(checkout: Path, *arguments: str, code: int = 0, **variables: str) -> str:
    """Run make where no other Python is to be found; returns what it prints."""
    tools = checkout / "tools"
    if not tools.exists():
        tools.mkdir()
        for name in ("sh", "make", "find", "mkdir", "chmod", "touch", "cmp", "echo", "cat", "rm"):
            (tools / name).symlink_to(shutil.which(name) or pytest.fail(f"no {name} here"))
    environment = {"PATH": f"{checkout}/commands:{tools}", "HOME": str(checkout / "home")} | variables
    command = ["make", "-C", str(checkout), "--no-print-directory", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == (code != 0), done.stderr
    return done.stdout


def chosen(checkout: Path, *arguments: str) -> list[str]:
    """Return the Python of the environments and that of the archive."""
    shown = make(checkout, "--eval=shown:;@echo $(PYTHON) $(DIST_PYTHON)", "shown", *arguments)
    return [path.removeprefix(f"{checkout}/") for path in shown.split()]


def test_the_oldest_python_that_runs_makes_the_environments_and_the_archive(checkout: Path) -> None:
    for version in ("3.13", "3.12", "3.10"):
        python(checkout, version)
    assert chosen(checkout) == ["commands/python3.12"] * 2

    python(checkout, "3.11")
    assert chosen(checkout) == ["commands/python3.11"] * 2


def test_a_command_that_does_not_run_is_no_python(checkout: Path) -> None:
    put(checkout / "commands/python3.11", "#!/bin/sh\nexit 127\n")
    python(checkout, "3.13")
    assert chosen(checkout) == ["commands/python3.13"] * 2


def test_a_python_that_pyenv_keeps_is_found(checkout: Path) -> None:
    put(checkout / "commands/python3.11", "#!/bin/sh\nexit 127\n")
    kept = python(checkout, "3.11", "home/.pyenv/versions/3.11.7/bin")
    assert chosen(checkout) == [str(kept.relative_to(checkout))] * 2


def test_the_archive_is_for_3_11_whatever_the_environments_have_unless_told_otherwise(checkout: Path) -> None:
    for version in VERSIONS:
        python(checkout, version)
    assert chosen(checkout, "PYTHON=python3.13") == ["python3.13", "commands/python3.11"]
    assert chosen(checkout, "DIST_PYTHON=python3.12") == ["commands/python3.11", "python3.12"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "PYTHON: expected one of python3.11, python3.12 and python3.13 with its venv module, got none"),
        (["PYTHON=python3.9"], "PYTHON python3.9: expected Python 3.11 or later, got 3.9"),
        (["PYTHON=/none"], "PYTHON /none: expected a Python, got a command that does not run"),
    ],
)
def test_a_python_that_is_missing_or_too_old_is_told_with_what_to_do(
    checkout: Path, arguments: list[str], message: str
) -> None:
    python(checkout, "3.9")
    assert make(checkout, "install", *arguments, code=2).splitlines()[-1].startswith(message)


def test_a_python_without_its_venv_module_is_told_as_such(checkout: Path) -> None:
    script = INTERPRETER.format(version="3.12", is_old=0).replace(" in\n", " in\n  *ensurepip*) exit 1 ;;\n")
    put(checkout / "commands/python3.12", script)
    assert "PYTHON: expected one of" in make(checkout, "install", code=2)
    said = make(checkout, "install", "PYTHON=python3.12", code=2)
    assert "got one without ensurepip: install python3.12-venv" in said


def test_an_environment_is_made_anew_for_another_python_or_other_versions_alone(checkout: Path) -> None:
    for version in ("3.11", "3.12"):
        python(checkout, version)
    made = "-m venv --clear .venv\n"
    assert made in make(checkout, "install")
    assert made not in make(checkout, "install")
    assert made not in make(checkout, "install", "PYTHON=python3.11")
    assert "python3.12" in make(checkout, "install", "PYTHON=python3.12")
    assert made in make(checkout, "install")
    os.utime(checkout / "constraints.txt", (2**32, 2**32))
    assert made in make(checkout, "install")


def test_what_comes_as_sources_is_built_once_for_all_environments(checkout: Path) -> None:
    for version in ("3.11", "3.12"):
        python(checkout, version)
    built = ".venv-uv/bin/pip wheel "
    told = make(checkout, "install")
    assert told.index(built) < told.index(" --find-links .venv-uv/wheels --python .venv/bin/python ")
    for other in (".venv-bench", ".venv-3.12"):
        told = make(checkout, f"{other}/installed")
        assert (built in told, f" --find-links .venv-uv/wheels --python {other}/bin/python " in told) == (False, True)
    os.utime(checkout / "constraints.txt", (2**32, 2**32))
    assert built in make(checkout, "install")


def test_an_environment_is_made_without_the_wheel_where_that_cannot_be_built(checkout: Path) -> None:
    python(checkout, "3.11")
    make(checkout, ".venv-uv/installed")
    put(checkout / ".venv-uv/bin/pip", "#!/bin/sh\nexit 1\n")
    told = make(checkout, "install")
    assert "PySpark's wheel could not be built: each environment builds its own" in told
    assert (checkout / ".venv/installed").exists()


def test_no_process_compiles_what_another_has_compiled_before(checkout: Path) -> None:
    python(checkout, "3.11")
    told = make(checkout, "install", PYTHONDONTWRITEBYTECODE="1")
    assert " --editable '.[dev]' --compile ||" in told
    assert ".venv/bin/python -m compileall -q src" in told
    ask = "--eval=shown:;@echo $${PYTHONDONTWRITEBYTECODE-unset}"
    assert make(checkout, ask, "shown", PYTHONDONTWRITEBYTECODE="1") == "unset\n"


def pins(version: str) -> dict[str, str]:
    """Return the versions that constraints.txt gives a Python, by name."""
    lines = [line for line in (REPOSITORY / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    asked = {"python_version": version, "python_full_version": f"{version}.0"}
    found = [Requirement(line) for line in lines]
    held = [item for item in found if item.marker is None or item.marker.evaluate(asked)]
    named: dict[str, str] = {canonicalize_name(item.name): str(item.specifier).removeprefix("==") for item in held}
    assert len(named) == len(held)
    return named


@pytest.mark.parametrize("version", VERSIONS)
def test_constraints_have_one_version_within_the_range_of_all_that_setup_cfg_asks_for(version: str) -> None:
    settings = configparser.ConfigParser()
    settings.read(REPOSITORY / "setup.cfg")
    asked = [settings["options"]["install_requires"], *settings["options.extras_require"].values()]
    requirements = [Requirement(line) for text in asked for line in text.splitlines() if line.strip()]
    pinned = pins(version)
    others = [item for item in requirements if item.name != "batchscore"]
    assert len(others) > 30
    assert [str(item) for item in others if not item.specifier.contains(pinned.get(item.name.lower(), "0"))] == []


def test_constraints_are_names_and_versions_alone() -> None:
    """No host of a registry, no path of a machine."""
    marker = r"[a-z_]+ [<>=!]+ '[\w.]+'"
    line = re.compile(rf"[a-z0-9-]+==[0-9a-z.]+( ; {marker}( (and|or) {marker})*)?")
    first, second, *others = (REPOSITORY / "constraints.txt").read_text().splitlines()
    assert (first, second) == (
        "# This file was autogenerated by uv via the following command:",
        "#    make constraints",
    )
    assert [text for text in others if not line.fullmatch(text)] == []
