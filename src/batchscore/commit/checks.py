"""What parts must meet before they are committed (pure): each split answered once, enough of it scored."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from batchscore.commit.verdicts import Limit, Tally, Verdict, judge
from batchscore.config.exclusion import exclude_advice
from batchscore.config.job_config import JobConfig
from batchscore.errors import ScoringError, TooManyInvalidRecordsError, TooManyUnseenValuesError
from batchscore.input.diagnosis.reasons import counted
from batchscore.input.unseen_texts import TextCounts
from batchscore.output.parts import Counts, PartFile
from batchscore.plan import JobSpec, Plan

INPUTS_TOLD = 10


def checked_parts(plan: Plan, parts: Sequence[PartFile]) -> Iterator[PartFile]:
    """Yield the parts; raises ScoringError unless every split is answered exactly once, in the order of the splits."""
    if len(parts) != len(plan.splits):
        raise _not_answered_once(plan, parts)
    for index, part in enumerate(parts):
        if part.split_index != index:
            raise _not_answered_once(plan, parts)
        yield part


def _not_answered_once(plan: Plan, parts: Sequence[PartFile]) -> ScoringError:
    answers = Counter(part.split_index for part in parts)
    wrong = [index for index in range(len(plan.splits)) if answers[index] != 1]
    return ScoringError(
        f"job {plan.spec.id}: expected one part for each of {len(plan.splits)} splits, in their order, got "
        f"{len(parts)} parts; splits not answered once: {wrong[:10]}"
    )


class Tallies:
    """The records of each input, and those without a prediction, added up while parts go by: 16 bytes an input."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._records = array("q", bytes(8 * len(plan.inputs)))
        self._invalid = array("q", bytes(8 * len(plan.inputs)))

    def adding(self, parts: Iterable[PartFile]) -> Iterator[PartFile]:
        """Pass parts on."""
        for part in parts:
            place = self._plan.splits[part.split_index].input_index
            self._records[place] += part.record_count
            self._invalid[place] += part.invalid_record_count
            yield part

    def by_input(self) -> list[Tally]:
        """Return what was added up, in the order of the inputs."""
        uris = (item.source.uri for item in self._plan.inputs)
        return [Tally(*counts) for counts in zip(uris, self._records, self._invalid, strict=True)]


def check_limits(spec: JobSpec, counts: Counts) -> None:
    """Hold a job to the limits that were set; raises TooManyInvalidRecordsError or TooManyUnseenValuesError."""
    limit = spec.config.max_invalid_records
    if counts.invalid_record_count > limit:
        raise TooManyInvalidRecordsError(
            f"job {spec.id}: expected at most {limit} invalid records, got {counts.invalid_record_count} "
            f"({counted(counts.invalid_reasons)}); see the rejected files, or raise max_invalid_records"
        )
    check_unseen(spec, counts.texts)


def check_unseen(spec: JobSpec, texts: TextCounts, where: str = "") -> None:
    """Hold a job to its fraction of values that the model does not know; raises TooManyUnseenValuesError."""
    limit = spec.config.max_unseen_fraction
    if limit is None:
        return
    over = [name for name, number in texts.unseen.items() if number and number / texts.value_count(name) > limit]
    if over:
        told = ", ".join(f"{name} {texts.unseen[name]} of {texts.value_count(name)}" for name in over)
        raise TooManyUnseenValuesError(
            f"job {spec.id}: expected at most a fraction {limit:g} of a column's values that the model does not know, "
            f"got more{where}: {told}; mend the files and choose a new id, or raise max_unseen_fraction and keep the id"
        )


def check_scored(plan: Plan, parts: Iterable[PartFile], counts: Counts, tallies: Tallies) -> None:
    """Hold a job to what it scored; raises TooManyInvalidRecordsError that tells which inputs are to blame."""
    if counts.invalid_record_count == 0:
        return
    verdict = judge(tallies.by_input(), limit_of(plan.spec.config))
    if verdict is not None:
        shown = {item.uri for item in verdict.worst[:INPUTS_TOLD]}
        reasons = _reasons_by_input(plan, parts, shown)
        raise TooManyInvalidRecordsError(describe_verdict(plan, verdict, reasons, "", has_record=True))


def limit_of(config: JobConfig) -> Limit:
    """Return the fraction of invalid records that a job may have."""
    return Limit(config.max_invalid_fraction, "max_invalid_fraction" in config.model_fields_set)


def _reasons_by_input(plan: Plan, parts: Iterable[PartFile], uris: Collection[str]) -> dict[str, Counter[str]]:
    found: dict[str, Counter[str]] = {uri: Counter() for uri in uris}
    for part in parts:
        uri = plan.inputs[plan.splits[part.split_index].input_index].source.uri
        if uri in found:
            found[uri].update(part.invalid_reasons)
    return found


def describe_verdict(
    plan: Plan, verdict: Verdict, reasons: Mapping[str, Mapping[str, int]], where: str, *, has_record: bool
) -> str:
    """Return a verdict in words: the worst inputs with their reasons, and the key that scores the others."""
    shown = verdict.worst[:INPUTS_TOLD]
    more = f", the first {INPUTS_TOLD} of them told" if len(verdict.worst) > INPUTS_TOLD else ""
    lines = [
        f"job {plan.spec.id}: {verdict.what}{where}{more}; mend the data or the model and choose a new id"
        + (", or raise max_invalid_fraction and keep the id" if verdict.is_of_fraction else "")
    ]
    lines += [
        f"input {item.uri}: {item.record_count - item.invalid_record_count} of {item.record_count} records scored "
        f"({counted(reasons.get(item.uri, {}))})"
        for item in shown
    ]
    advice = exclude_advice(
        plan.spec.config, verdict.left_out, [item.source.uri for item in plan.inputs], has_record=has_record
    )
    return "\n  ".join([*lines, advice] if advice else lines)
