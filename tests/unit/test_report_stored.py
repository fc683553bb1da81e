"""What the page reads of manifests and profiles, whatever wrote them."""

import json

import pytest
from tests.page_jobs import binary_job, stored_json

from batchscore.errors import InputError
from batchscore.report.stored import manifest_told, profile_told


def told_inputs(count: int) -> dict[str, object]:
    manifest = binary_job(10).manifest
    assert manifest is not None
    one = manifest["inputs"][0]
    parts = [{"record_count": 2, "invalid_record_count": 1}] * 3
    skipped = [{"uri": "s3://b/notes.txt", "reason": "excluded by notes.txt"}]
    return {
        **manifest,
        "skipped": skipped,
        "inputs": [{**one, "uri": f"s3://b/{at} ]{{", "parts": parts} for at in range(count)],
    }


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
def test_a_manifest_of_a_line_for_each_input_says_the_same_as_one_indented_throughout(count: int) -> None:
    manifest = told_inputs(count)
    told = manifest_told(stored_json(manifest), "m")
    assert told == manifest_told(json.dumps(manifest, indent=1).encode(), "m")
    assert told == manifest_told(json.dumps(manifest).encode(), "m")
    assert told.input_count == count
    assert len(told.shown) == min(count, 100)
    assert (told.rest.record_count, told.rest.invalid_record_count) == (6 * told.rest_count, 3 * told.rest_count)
    assert told.software["python"] == "3.11.9"
    assert told.skipped_count == {"excluded by notes.txt": 1}


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b'{"format_version": 1}', b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_manifest_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match="manifest s3://b/x: expected"):
        manifest_told(content, "s3://b/x")


def test_inputs_that_are_none_are_told() -> None:
    manifest = told_inputs(2) | {"inputs": [{"uri": 3}]}
    with pytest.raises(InputError, match="manifest m: expected inputs with their parts"):
        manifest_told(stored_json(manifest), "m")


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format_version": 1, "columns": 3}', b"{}"])
def test_what_is_no_profile_is_told(content: bytes) -> None:
    with pytest.raises(InputError, match="profile p: expected the profile of a job"):
        profile_told(content, "p")


def test_a_profile_of_a_later_format_is_told() -> None:
    with pytest.raises(InputError, match="profile p: expected format 1, got 2"):
        profile_told(b'{"format_version": 2}', "p")


def test_keys_that_a_later_version_adds_are_passed_over() -> None:
    assert profile_told(b'{"format_version": 1, "model_type": "binary", "new": [1]}', "p").model_type == "binary"


def test_residuals_are_buckets_alone_or_with_their_ends() -> None:
    for residuals in ([[1.0, 2.0, 3]], {"count": 3, "buckets": [[1.0, 2.0, 3]]}):
        content = json.dumps({"format_version": 1, "labels": {"residuals": residuals}}).encode()
        labels = profile_told(content, "p").labels
        assert labels is not None
        assert labels.errors == ((1.0, 2.0, 3),)
