"""ONNX models, which MLflow loads as pyfunc: what their graph takes and answers, as ONNX Runtime tells it.

MLflow hands on a frame's columns in one dimension, which most graphs refuse, and makes a frame of what comes back,
which cannot hold the probabilities of several classes. So the graph is given arrays by name, and answers with such.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from batchscore.errors import ModelError
from batchscore.model.categories import ModelInput
from batchscore.model.version import ModelVersion, Output

_FLOATS = {"tensor(float)": np.float32, "tensor(double)": np.float64}
_NUMBERS = {
    *_FLOATS,
    "tensor(float16)",
    "tensor(bool)",
    *(f"tensor({u}int{n})" for u in ("", "u") for n in (8, 16, 32, 64)),
}


def on_one_thread(loaded: Any) -> Any:
    """Let a loaded model run with one thread, and return its session: the number is fixed when a session is made."""
    import onnxruntime

    made = loaded._model_impl.rt
    options = made.get_session_options()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded._model_impl.rt = onnxruntime.InferenceSession(
        made._model_path, sess_options=options, providers=made.get_providers()
    )
    return loaded._model_impl.rt


def check_inputs(session: Any, model: ModelVersion) -> None:
    """Hold the signature to what the graph takes; raises ModelError."""
    names = [item.name for item in session.get_inputs()]
    known = {column.name for column in model.inputs}
    if len(names) > 1 and not known.issuperset(names):
        raise ModelError(
            f"expected a signature with the inputs of the graph, {', '.join(names)}, got "
            f"{', '.join(column.name for column in model.inputs) or 'inputs without names'}"
        )


def graph_outputs(session: Any) -> tuple[Output, ...]:
    """Return the outputs of the graph: they have the names by which the answer has them."""
    return tuple(Output(item.name, item.type in _NUMBERS, _width(item)) for item in session.get_outputs())


def check_maps(session: Any, column: str | None) -> None:
    """Refuse the maps of labels that converters make of probabilities unless told otherwise; raises ModelError."""
    maps = [item.name for item in session.get_outputs() if "map(" in item.type]
    if maps and (column is None or column in maps):
        raise ModelError(
            f"expected arrays of numbers, got maps in {', '.join(maps)}; convert it with options={{id(model): "
            '{"zipmap": False}}, or name another output with prediction_column'
        )


def _width(output: Any) -> int | None:
    shape = list(output.shape or [None])
    if len(shape) == 1:
        return 1
    return shape[1] if len(shape) == 2 and isinstance(shape[1], int) else None


def onnx_giver(session: Any) -> Callable[[ModelInput], dict[str, Any]]:
    """Return how records are given to the graph: an array for each of its inputs, of its type and rank."""
    inputs = session.get_inputs()

    def give(records: ModelInput) -> dict[str, Any]:
        if len(inputs) == 1:
            return {inputs[0].name: _tensor(np.asarray(records), inputs[0])}
        frame = pd.DataFrame(records)
        return {item.name: _tensor(frame[item.name].to_numpy(), item) for item in inputs}

    return give


def _tensor(values: npt.NDArray[Any], declared: Any) -> npt.NDArray[Any]:
    """Return values as a graph declares them: numbers become floats, nothing else is converted."""
    rank = len(declared.shape or [None])
    if rank == 2 and values.ndim == 1:
        values = values.reshape(-1, 1)
    if rank == 1 and values.ndim == 2 and values.shape[1] == 1:
        values = values.reshape(-1)
    return values.astype(_FLOATS.get(declared.type, values.dtype))
