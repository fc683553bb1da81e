"""Inputs cut into splits, looked at and scored as a job does it, without Spark."""

from collections.abc import Sequence

from batchscore.config.job_config import S3Settings
from batchscore.input.columns import Columns
from batchscore.input.csv_lines import TextFormat
from batchscore.input.factory import committed_reader, job_reader
from batchscore.input.files import InputFile, Split
from batchscore.model.predictor import Predictor
from batchscore.output.parts import PartFile
from batchscore.plan import JobSpec, Plan, make_inputs
from batchscore.preflight.beginnings import Looked
from batchscore.preflight.first_look import look_in_task
from batchscore.scoring import score_split as scoring
from batchscore.storage.base import StoredObject

_CSV = committed_reader(TextFormat(), Columns((), (), None, has_header=True), S3Settings())


def csv_inputs(sources: Sequence[StoredObject], root: str, split_bytes: int) -> tuple[InputFile, ...]:
    """Return CSV inputs as a plan has them."""
    return make_inputs(sources, root, split_bytes, _CSV)


def looked_at(inputs: Sequence[InputFile], spec: JobSpec) -> Looked:
    """Return what the first MiB of inputs shows."""
    return look_in_task(inputs, spec)


def score_split(split: Split, source: InputFile, spec: JobSpec, predictor: Predictor) -> PartFile:
    """Read and score a split, and store its part."""
    content = job_reader(spec.config, spec.columns).read(source, split.start, split.stop)
    return scoring.score_split(content, split, source, spec, predictor).store()


def part_uri(plan: Plan, split: Split) -> str:
    """Return where the part of a split is stored."""
    item = plan.inputs[split.input_index]
    return plan.spec.outputs.part(item.name, split.number, item.split_count)
