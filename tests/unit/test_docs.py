"""What the documents point at is there, and what they list is all of it."""

import re
import subprocess
from pathlib import Path

import pytest

from batchscore.config.job_config import known_keys

REPOSITORY = Path(__file__).parents[2]
DOCUMENTS = sorted(
    REPOSITORY / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
)
DECISIONS = sorted((REPOSITORY / "docs/adr").glob("[0-9]*.md"))

_FENCED = re.compile(r"^(```+).*?^\1$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")


def prose(document: Path) -> str:
    return _FENCED.sub("", document.read_text())


def links(document: Path) -> list[str]:
    return [link for link in _LINK.findall(_CODE.sub("", prose(document))) if not re.match(r"[a-z]+:", link)]


def anchors(document: Path) -> set[str]:
    """Return the anchors of a document's headings, as the forge makes them."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading)
        name = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        found.append(f"{name}-{found.count(name)}" if name in found else name)
    return set(found)


def faults_of(document: Path) -> list[str]:
    faults = []
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists():
            faults.append(f"{link}: no such file")
        elif anchor and anchor not in anchors(target):
            faults.append(f"{link}: no such heading")
    return faults


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_every_relative_link_leads_to_a_file_and_a_heading(document: Path) -> None:
    assert faults_of(document) == []


def test_a_link_to_no_file_or_to_no_heading_is_a_fault_and_code_is_no_link(tmp_path: Path) -> None:
    document = tmp_path / "a.md"
    document.write_text(
        "# Of `x` and [y](b.md), twice\n## Same\n## Same\n`[a](c.md)`\n```\n[a](d.md)\n# No heading\n```\n"
        "[1](#of-x-and-y-twice) [2](#same-1) [3](https://example.com/none) [4](#no-heading) [5](a.md#same)\n"
    )
    assert faults_of(document) == ["b.md: no such file", "#no-heading: no such heading"]


def test_the_documents_of_the_first_page_are_linked_from_it() -> None:
    wanted = {"docs/architecture.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"}
    wanted |= {f"docs/{path.name}" for path in (REPOSITORY / "docs").glob("*.md")}
    assert wanted - {link.partition("#")[0] for link in links(REPOSITORY / "README.md")} == set()


def test_the_version_of_the_first_page_is_that_of_the_package() -> None:
    version = re.search(r"^version = (.*)$", (REPOSITORY / "setup.cfg").read_text(), re.MULTILINE)
    assert version
    assert f"\nVersion {version[1]}. " in (REPOSITORY / "README.md").read_text()


def test_every_key_is_described_in_a_row_of_the_configuration_page() -> None:
    rows = re.findall(r"^\| (`[^|]*) \|", (REPOSITORY / "docs/configuration.md").read_text(), re.MULTILINE)
    described = {key for row in rows for key in re.findall(r"`([^`]+)`", row)}
    assert set(known_keys()) - {"s3", "spark"} - described == set()


def test_every_decision_has_a_status_and_its_row_in_the_index() -> None:
    rows = []
    for path in DECISIONS:
        title, blank, status, *_ = path.read_text().splitlines()
        number = int(path.name[:4])
        assert (blank, status.partition(": ")[0]) == ("", "Status"), path
        assert title.startswith(f"# {number}. "), path
        rows.append(f"| [{number}]({path.name}) | {title.partition('. ')[2]} | {status.partition(': ')[2]} |")
    index = (REPOSITORY / "docs/adr/README.md").read_text()
    assert [row for row in index.splitlines() if row.startswith("| [")] == rows
    known = re.compile(r"accepted|(accepted; )?((replaced|amended) by \[\d+\]\(\S+\.md\)|amended within)")
    assert [row for row in rows if not known.fullmatch(row.split(" | ")[-1].removesuffix(" |"))] == []
