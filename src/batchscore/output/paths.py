"""The URIs of everything a job writes (pure); docs/output-contract.md describes each."""

from __future__ import annotations

import secrets
import string
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from batchscore.config import uris
from batchscore.config.uris import FOLDER

Layout = Literal["parts", "amazon"]
EXTENDED_MANIFEST_END = ".manifest.json"
MANIFEST_END = ".manifest"
RECORD_END = ".json"
LOG_END = ".log"
PROFILE_END = ".profile.json"
REPORT_END = ".report.html"
# What S3 calls safe beside letters and digits; quote() itself keeps "_.-~", and "~" is one to avoid.
_SAFE_CHARACTERS = "!-_.*'()"
_GENERATED_ID_CHARACTERS = 11


def new_id() -> str:
    """Return a generated id as Amazon ML made them: ``bp-`` and 11 letters or digits."""
    alphabet = string.ascii_letters + string.digits
    return "bp-" + "".join(secrets.choice(alphabet) for _ in range(_GENERATED_ID_CHARACTERS))


def encode_name(relative_key: str) -> str:
    """Return an input's relative key as a name below the result folder.

    Different keys give different names, and no name leaves the folder: ``.``, ``..`` and empty names between slashes
    are percent-encoded like every character that S3 advises against.
    """
    encoded = [
        quote(name, safe=_SAFE_CHARACTERS, errors="surrogateescape").replace("~", "%7E")
        for name in relative_key.split("/")
    ]
    safe = [name.replace(".", "%2E") if name in {".", ".."} else name for name in encoded]
    # An empty name would vanish in a path: its slash stays, encoded, with the name that follows.
    text = safe[0]
    for name in safe[1:]:
        text += f"/{name}" if text and not text.endswith("/") and name else f"%2F{name}"
    return text


def id_of(name: str) -> str | None:
    """Return the id whose manifest, record, profile, page or log has a name; None for the name of something else."""
    for ending in (EXTENDED_MANIFEST_END, MANIFEST_END, PROFILE_END, REPORT_END, RECORD_END, LOG_END):
        if name.endswith(ending):
            return name.removesuffix(ending)
    return None


@dataclass(frozen=True)
class Outputs:
    """Where one batch prediction writes."""

    output: str
    id: str
    layout: Layout

    @property
    def folder(self) -> str:
        """The folder of all batch predictions below the output."""
        return uris.join(self.output, FOLDER)

    def _beside_results(self, ending: str) -> str:
        return f"{self.folder}/{self.id}{ending}"

    @property
    def manifest(self) -> str:
        """Amazon's manifest."""
        return self._beside_results(MANIFEST_END)

    @property
    def extended_manifest(self) -> str:
        """The extended manifest: the commit."""
        return self._beside_results(EXTENDED_MANIFEST_END)

    @property
    def record(self) -> str:
        """The record of the batch prediction."""
        return self._beside_results(RECORD_END)

    @property
    def log(self) -> str:
        """The log."""
        return self._beside_results(LOG_END)

    @property
    def profile(self) -> str:
        """What the job saw, and how good it is."""
        return self._beside_results(PROFILE_END)

    @property
    def report(self) -> str:
        """The page."""
        return self._beside_results(REPORT_END)

    @property
    def work(self) -> str:
        """The prefix of what a job needs to go on, removed after its commit."""
        return f"{self.folder}/in-progress/{self.id}/"

    def result(self, name: str) -> str:
        """Return the result of an input: a folder ending in ``/``, or in the Amazon layout one object."""
        stem = f"{self.folder}/result/{self.id}-{name}"
        return f"{stem}/" if self.layout == "parts" else f"{stem}.gz"

    def part(self, name: str, number: int, count: int) -> str:
        """Return the part of an input's split; in the Amazon layout the result itself where there is but one."""
        if self.layout == "amazon":
            return self.result(name) if count == 1 else f"{self.work}parts-{name}/part-{number:05d}.csv.gz"
        return f"{self.result(name)}part-{number:05d}.csv.gz"

    def rejected(self, name: str, number: int) -> str:
        """Return the file of a split's invalid records."""
        return f"{self.folder}/rejected/{self.id}-{name}/part-{number:05d}.csv.gz"

    @property
    def inputs(self) -> str:
        """The inputs that a job of new ones began with."""
        return f"{self.work}inputs.json"

    def check_object(self, name: str) -> str:
        """Return an object, of a name that no other job uses, to try the output with; what Amazon ML called it."""
        return f"{self.folder}/in-progress/.writePermissionCheck-{name}.tmp"

    def receipt(self, task: int) -> str:
        """Return the record of a finished task, by which an unfinished job goes on."""
        return f"{self.work}task-{task:08d}.json"
