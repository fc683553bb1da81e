"""Whatever an input is called, whatever the id: a job writes below its output, and no two objects to one place."""

import io
import json
import posixpath
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scored import csv_inputs, part_uri
from tests.unit.test_plan import make_part, make_plan

from batchscore.commit.concatenation import plan_concatenations
from batchscore.commit.manifest import classic_manifest
from batchscore.config.batch_id import check_id
from batchscore.config.job_config import JobConfig, S3Settings
from batchscore.errors import BatchScoreError, ConfigError
from batchscore.input.columns import resolve_columns
from batchscore.input.files import make_splits
from batchscore.input.schema_file import parse_schema
from batchscore.output.paths import Layout, Outputs, encode_name
from batchscore.plan import JobSpec, Plan, naming_root
from batchscore.storage.base import StoredObject
from batchscore.storage.factory import storage_for
from batchscore.storage.stored_json import is_text

# What a listing can give: any text, names of local files that are no text included, and whatever climbs or escapes.
HOSTILE = st.sampled_from(
    ["..", ".", "", "/", "//", "/etc/passwd", "%2e%2e", "..%2f", "\\..\\", "~", "\0", "\n", "s3://other/x", "file:///x"]
)
NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | HOSTILE | st.just("\udcff\udc80")
KEY = st.lists(NAME, min_size=1, max_size=5).map("/".join)
ID = st.from_regex(r"[a-zA-Z0-9_.-]{1,64}", fullmatch=True)
LAYOUT: st.SearchStrategy[Layout] = st.sampled_from(["parts", "amazon"])
OUTPUT = st.sampled_from(["s3://b", "s3://b/out", "s3://b/out/", "/data/out"])


def is_id(text: str) -> bool:
    try:
        JobConfig.model_validate({"id": text, "model": "models:/m/1", "input": "a", "output": "b"})
    except ValueError:
        return False
    return True


def plan_of(config: JobConfig, keys: list[str]) -> Plan:
    spec = replace(make_plan().spec, id=str(config.id), config=config)
    sources = [StoredObject(f"{config.input[0]}{key}", 150 * (number % 3), "e") for number, key in enumerate(keys)]
    inputs = csv_inputs(sources, naming_root(config.input), 100)
    return Plan(spec, inputs, make_splits(inputs, 100), ())


def written_uris(plan: Plan) -> list[str]:
    """Return the URI of every object that a job of the plan can write."""
    outputs = plan.spec.outputs
    parts = [make_part(split.index) for split in plan.splits]
    return [
        *(outputs.manifest, outputs.extended_manifest, outputs.record, outputs.log),
        *(part_uri(plan, split) for split in plan.splits),
        *(outputs.rejected(plan.inputs[split.input_index].name, split.number) for split in plan.splits),
        *(outputs.receipt(number) for number in range(len(plan.splits))),
        *(task.uri for task in plan_concatenations(plan, parts)),
    ]


def jobs(output: str) -> st.SearchStrategy[Plan]:
    config = st.builds(
        lambda batch_id, layout: JobConfig.model_validate(
            {"id": batch_id, "model": "models:/m/1", "input": "s3://in/x/", "output": output, "layout": layout}
        ),
        ID.filter(is_id),
        LAYOUT,
    )
    return st.builds(plan_of, config, st.lists(KEY, min_size=1, max_size=5, unique=True))


@given(st.data(), OUTPUT)
def test_no_id_and_no_name_of_an_input_leaves_the_folder_of_the_output(data: st.DataObject, output: str) -> None:
    plan = data.draw(jobs(output))
    folder = Outputs(plan.spec.config.output, "", "parts").folder
    for uri in written_uris(plan):
        scheme, _, path = uri.partition("://")
        assert uri.startswith(f"{folder}/")
        assert posixpath.normpath(path) == path, "no empty name, no dots"
        assert f"{scheme}://" in ("s3://", "file://")
        path.encode()  # a key of S3 is text


@given(jobs("s3://b/out"))
def test_no_two_objects_of_a_job_have_one_place(plan: Plan) -> None:
    uris = written_uris(plan)
    assert len(set(uris)) == len(uris)


@given(jobs("s3://b/out"))
def test_the_classic_manifest_leads_from_each_input_to_its_own_result(plan: Plan) -> None:
    manifest = json.loads(b"".join(classic_manifest(plan)))
    assert list(manifest) == [item.source.uri for item in plan.inputs]
    assert len(set(manifest.values())) == len(plan.inputs)


@given(st.lists(NAME.filter(lambda name: 0 < len(name) <= 64 and is_text(name)), min_size=2, max_size=4, unique=True))
def test_no_name_in_a_schema_changes_where_a_job_writes(names: list[str]) -> None:
    attributes = [{"attributeName": name, "attributeType": "TEXT"} for name in names]
    raw = {"rowId": names[0], "targetAttributeName": names[1], "attributes": attributes}
    columns = resolve_columns("m", None, parse_schema(json.dumps(raw).encode(), "x"), has_header=False)
    plan = make_plan()
    spec: JobSpec = replace(plan.spec, columns=columns)
    assert written_uris(replace(plan, spec=spec)) == written_uris(plan)


@given(ID.filter(is_id), LAYOUT, KEY)
def test_a_local_write_stays_below_the_output_or_is_refused(batch_id: str, layout: Layout, key: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        outputs = Outputs(f"file://{folder}/out", batch_id, layout)
        storage = storage_for(outputs.output, S3Settings())
        name = encode_name(key)
        for uri in (outputs.record, outputs.part(name, 0, 2), outputs.rejected(name, 0), outputs.receipt(0)):
            try:
                storage.put(uri, io.BytesIO(b"x"))
                storage.put_new(f"{uri}.new", io.BytesIO(b"x"))
            except BatchScoreError as error:
                assert "File name too long" in str(error)  # noqa: PT017 - a name may be written, or be too long
        assert [path.name for path in Path(folder).iterdir()] == ["out"]
        assert {path.name for path in Path(folder, "out").iterdir()} == {"batch-prediction"}


@given(st.text(max_size=70))
def test_an_id_is_of_few_characters_and_names_no_folder(text: str) -> None:
    try:
        config = JobConfig.model_validate({"id": text, "model": "models:/m/1", "input": "a", "output": "b"})
    except ValueError:
        return
    assert config.id is not None
    assert "/" not in config.id
    assert config.id.isascii()
    assert config.id.isprintable()
    assert config.id.strip(".")
    assert len(config.id) <= 64


@pytest.mark.parametrize("text", ["../../etc/x", "a/b", "..", "", "a\n", "x" * 65, "x.manifest"])
def test_what_is_no_id_is_refused_as_an_argument_too(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^id: "):
        check_id(text)
