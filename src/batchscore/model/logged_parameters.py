"""What the training of a model was told, as MLflow logged it: the parameters of the logged model, or of its run."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


def logged_number(name: str, model_id: str | None, run_id: str | None) -> float | None:
    """Return a parameter that is a number; None where none is told, or NaN."""
    text = _logged_parameter(name, model_id, run_id)
    try:
        value = math.nan if text is None else float(text)
    except ValueError:  # the word None, as some versions of MLflow log it
        return None
    return None if math.isnan(value) else value


def _logged_parameter(name: str, model_id: str | None, run_id: str | None) -> str | None:
    """Return a parameter of a logged model, else of its run; None where neither has it or can be asked."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    questions: list[tuple[str | None, Callable[[str], Mapping[str, str] | None]]] = [
        (model_id, lambda asked: client.get_logged_model(asked).params),
        (run_id, lambda asked: client.get_run(asked).data.params),
    ]
    for asked, parameters in questions:
        try:
            found = (parameters(asked) or {}).get(name) if asked else None
        except MlflowException as error:
            log.warning("parameters of %s: expected to read them, got %s", asked, error.error_code)
            continue
        if found is not None:
            return found
    return None
