"""What a pyfunc model gets of a file's records, in each form that MLflow's signatures and type hints have.

The oracle is the model called directly, on what Python's or pandas' own reading of the file is. The scenarios are those
of MLflow's tests of schema enforcement and of ``spark_udf``; where MLflow answers otherwise a test says so and why.
"""

import datetime
from pathlib import Path
from typing import Any, Optional

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pydantic
import pytest
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature, infer_signature
from mlflow.pyfunc.model import PythonModel
from mlflow.types.schema import ColSpec, Schema, TensorSpec
from mlflow.types.type_hints import TypeFromExample

from batchscore.errors import ConfigError, InputError, ModelError
from batchscore.preflight.planner import LoadedModel
from tests.agreement.judge import score
from tests.agreement.oracle import Scored
from tests.models.conftest import Load
from tests.registry import Registry, columns

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's hints for those who write models
REGRESSION: dict[str, Any] = {"model_type": "regression"}


@pytest.fixture
def load(load: Load) -> Load:
    """Load a model that is said to be a regression: most of these say nothing of their outputs."""
    return lambda uri, **keys: load(uri, **REGRESSION | keys)


def scores(text: str, loaded: LoadedModel, folder: Path, **keys: Any) -> list[float]:
    """Return the score of each record of a file that a job scores, NaN for an invalid one."""
    return list(scored(text, loaded, folder, **keys).predictions[:, 0])


def scored(text: str, loaded: LoadedModel, folder: Path, **keys: Any) -> Scored:
    return score(text, loaded, folder, has_header=True, **REGRESSION | keys)


def untyped(*specs: str) -> ModelSignature:
    """Return a signature of inputs without names."""
    return ModelSignature(Schema([ColSpec(kind) for kind in specs]), Schema([ColSpec("double")]))


# ---------------------------------------------------------------- type hints


class Floats(PythonModel):
    """Doubles the values of a list of floats."""

    def predict(self, model_input: list[float]) -> list[float]:  # type: ignore[override] # as a type hint has it
        assert all(type(value) is float for value in model_input)
        return [value * 2 for value in model_input]


class Ints(PythonModel):
    """Tells the last digit of whole numbers, which floats would have lost."""

    def predict(self, model_input: list[int]) -> list[int]:  # type: ignore[override] # as a type hint has it
        assert all(type(value) is int for value in model_input)
        return [value % 10 for value in model_input]


class Texts(PythonModel):
    """Counts the characters of texts."""

    def predict(self, model_input: list[str]) -> list[int]:  # type: ignore[override] # as a type hint has it
        return [len(text) for text in model_input]


class Bools(PythonModel):
    """Tells yes from no."""

    def predict(self, context: Any, model_input: list[bool], params: Any = None) -> list[float]:  # noqa: ARG002 - mlflow's interface
        assert all(type(value) is bool for value in model_input)
        return [0.25 if value else 0.75 for value in model_input]


class Dates(PythonModel):
    """Tells the year of dates."""

    def predict(self, model_input: list[datetime.datetime]) -> list[int]:  # type: ignore[override] # as a type hint has it
        return [value.year for value in model_input]


@pytest.mark.parametrize(
    ("model", "values", "expected"),
    [
        (Floats(), ["1.5", "-2", "1e3"], [3.0, -4.0, 2000.0]),
        (Ints(), ["9007199254740993", "-7", "12.0"], [3.0, 3.0, 2.0]),
        (Texts(), ["a", '"b, c"', "007"], [1.0, 4.0, 3.0]),
        (Bools(), ["yes", "false", "1"], [0.25, 0.75, 0.25]),
        (Dates(), ["2024-02-29", "19991231", "2001-01-01T10:00"], [2024.0, 1999.0, 2001.0]),
    ],
)
def test_a_hint_of_single_values_gets_a_list_of_python_s_own(
    model: Any, values: list[str], expected: list[float], registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(model, "pyfunc"))
    text = "\n".join(["id,whatever it is called", *(f"r{at},{value}" for at, value in enumerate(values))]) + "\n"

    assert scores(text, loaded, tmp_path, row_id="id") == expected


def test_a_function_gets_what_its_hint_says_too(registry: Registry, load: Load, tmp_path: Path) -> None:
    def lengths(model_input: list[str]) -> list[float]:
        return [len(text) / 2 for text in model_input]

    loaded = load(registry.register(lengths, "pyfunc", input_example=["abc"]))

    assert scores("name\nab\nabcd\n", loaded, tmp_path) == [1.0, 2.0]


@pytest.mark.parametrize(
    ("model", "text", "reasons"),
    [
        (Floats(), "a\n1\n\nNA\nx\n", ["", "missing", "missing", "invalid_value"]),
        (Ints(), "a\n1\nNA\n1.5\n", ["", "missing_value", "invalid_value"]),
        (Texts(), "id,a\n1,x\n2,\n3,NA\n", ["", "model_error", "model_error"]),
        (Bools(), "a\nyes\nNA\n2\n", ["", "missing_value", "invalid_value"]),
    ],
)
def test_a_hint_of_values_that_are_there_refuses_missing_ones_as_mlflow_does(
    model: Any, text: str, reasons: list[str], registry: Registry, load: Load, tmp_path: Path
) -> None:
    keys = {"row_id": "id"} if text.startswith("id") else {}
    reasons = ["model_error" if reason == "missing" else reason for reason in reasons]
    if isinstance(model, Floats):
        reasons[1] = "blank"  # a line of nothing
    if isinstance(model, Bools):
        reasons[1] = "missing_value"

    found = scored(text, load(registry.register(model, "pyfunc")), tmp_path, **keys)

    assert found.reasons == reasons


class Person(pydantic.BaseModel):
    """A record, of which the signature sorts the fields."""

    weight: float
    age: int
    name: str
    is_old: bool
    points: Optional[int] = None  # noqa: UP045 - as MLflow's users write it
    nickname: str | None = None


class People(PythonModel):
    """Weighs people; who has no points is told."""

    def predict(self, model_input: list[Person]) -> list[float]:  # type: ignore[override] # as a type hint has it
        assert all(type(person) is Person for person in model_input)
        return [
            person.weight
            + person.age * 100
            + len(person.name)
            + (0.5 if person.is_old else 0)
            + (-1000 if person.points is None else person.points * 10_000)
            + (0 if person.nickname is None else 1_000_000)
            for person in model_input
        ]


def test_a_pydantic_hint_gets_records_by_the_names_of_its_fields(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(People(), "pyfunc"))
    text = (
        "id,name,is_old,age,nickname,points,weight\n"
        "a,Bo,true,40,,3,60.25\n"
        "b,Al,no,7,Ali,,20\n"
        "c,Cy,yes,50,,,NA\n"
        "d,Di,yes,,,4,70\n"
        "e,,yes,50,,4,70\n"
    )

    found = scored(text, loaded, tmp_path, row_id="id")

    assert found.predictions[:2, 0].tolist() == [
        *People().predict([Person(weight=60.25, age=40, name="Bo", is_old=True, points=3)]),
        *People().predict([Person(weight=20, age=7, name="Al", is_old=False, nickname="Ali")]),
    ]
    assert found.reasons == ["", "", "model_error", "missing_value", "model_error"]


def test_optional_fields_may_be_absent(registry: Registry, load: Load, tmp_path: Path) -> None:
    loaded = load(registry.register(People(), "pyfunc"))

    assert scores("age,is_old,name,weight\n1,no,X,2.5\n", loaded, tmp_path) == People().predict(
        [Person(weight=2.5, age=1, name="X", is_old=False)]
    )
    with pytest.raises(InputError, match="expected columns that are not there: weight"):
        scores("age,is_old,name\n1,no,X\n", loaded, tmp_path)


def test_fields_of_a_hint_have_no_order_so_a_file_without_a_header_needs_names(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(People(), "pyfunc"))

    with pytest.raises(ConfigError, match=r"key names: .* fields of a type hint \(age, is_old, name, "):
        score("2.5,1,X,no\n", loaded, tmp_path, has_header=False, **REGRESSION)


class Dictionaries(PythonModel):
    """Adds what it knows by name."""

    def predict(self, model_input: list[dict[str, float]]) -> list[float]:  # type: ignore[override] # as a type hint has it
        assert all(type(record) is dict for record in model_input)
        return [record["a"] + 10 * record["b"] for record in model_input]


class AnyDictionaries(PythonModel):
    """Takes values of any type."""

    def predict(self, model_input: list[dict[str, Any]]) -> list[float]:  # type: ignore[override] # as a type hint has it
        return [record["n"] * len(record["s"]) * (2 if record["t"] else 1) for record in model_input]


def test_a_hint_of_dictionaries_gets_the_keys_of_the_logged_example(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Dictionaries(), "pyfunc", input_example=[{"a": 1.0, "b": 2.0}]))

    assert scores("b,c,a\n1,x,0.5\n2,y,3\n", loaded, tmp_path) == [10.5, 23.0]


def test_a_hint_of_dictionaries_of_anything_gets_the_types_of_the_logged_example(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    example = [{"n": 1, "s": "x", "t": True}]
    loaded = load(registry.register(AnyDictionaries(), "pyfunc", input_example=example))

    assert scores("s,n,t\n007,3,no\nab,5,yes\n", loaded, tmp_path) == [9.0, 20.0]


def test_a_hint_of_dictionaries_without_an_example_is_refused_with_two_ways_out(registry: Registry, load: Load) -> None:
    with pytest.raises(ModelError, match=r"a type hint of dictionaries; log .* input_example .*, or with a pydantic"):
        load(registry.register(Dictionaries(), "pyfunc"))


class Nested(pydantic.BaseModel):
    """A record that no line of a file can hold."""

    words: list[str]


class NestedRecords(PythonModel):
    """Takes lists within records."""

    def predict(self, model_input: list[Nested]) -> list[int]:  # type: ignore[override] # as a type hint has it
        return [len(record.words) for record in model_input]


class Lists(PythonModel):
    """Takes lists of lists."""

    def predict(self, model_input: list[list[float]]) -> list[float]:  # type: ignore[override] # as a type hint has it
        return [sum(row) for row in model_input]


@pytest.mark.parametrize(
    ("model", "got"),
    [(NestedRecords(), r"words is Array\(string\)"), (Lists(), r"column 1 is Array\(double\)")],
)
def test_a_hint_that_no_line_of_a_file_can_meet_is_refused_by_name(
    model: Any, got: str, registry: Registry, load: Load
) -> None:
    with pytest.raises(ModelError, match=f"expected types of boolean, .*, got: {got}"):
        load(registry.register(model, "pyfunc"))


class FromExample(PythonModel):
    """Has the hint that means: whatever the example was."""

    def predict(self, model_input: TypeFromExample) -> list[int]:  # type: ignore[override] # as a type hint has it
        texts: Any = model_input
        assert type(texts) is list
        return [len(text) for text in texts]


def test_a_hint_that_means_the_example_gets_a_list_as_that_was(registry: Registry, load: Load, tmp_path: Path) -> None:
    loaded = load(registry.register(FromExample(), "pyfunc", untyped("string"), input_example=["a", "b"]))

    assert scores("t\nab\nabc\n", loaded, tmp_path) == [2.0, 3.0]


class OfFrame(PythonModel):
    """Has a hint that says nothing more than the signature."""

    def predict(self, model_input: pd.DataFrame, params: Any = None) -> Any:  # type: ignore[override] # noqa: ARG002 - mlflow's interface
        return model_input["a"] - 1


def test_a_hint_of_a_frame_gets_a_frame(registry: Registry, load: Load, tmp_path: Path) -> None:
    assert scores("a\n3\n", load(registry.register(OfFrame(), "pyfunc", columns("a:long"))), tmp_path) == [2.0]


# ---------------------------------------------------------------- inputs without names


class Tells(PythonModel):
    """Answers with a number that tells the types, names and values that came."""

    def __init__(self, types: list[str]) -> None:
        self.types = types

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        assert isinstance(model_input, pd.DataFrame)
        assert model_input.columns.equals(pd.RangeIndex(len(self.types)))
        assert [str(kind) for kind in model_input.dtypes] == self.types
        return model_input.apply(lambda row: sum(len(str(value)) for value in row), axis=1)


@pytest.mark.parametrize(
    ("kinds", "types", "line", "expected"),
    [
        (["string"], ["object"], "hello", 5),
        (["boolean"], ["bool"], "yes", 4),
        (["datetime"], ["datetime64[ns]"], "2024-01-01", 19),
        (["double"], ["float64"], "12.5", 4),
        (["float"], ["float32"], "12.5", 4),
        (["long"], ["int64"], "125", 3),
        (["integer"], ["int32"], "125", 3),
        (["string", "string"], ["object", "object"], "ab,c", 3),
        (["string", "long", "boolean"], ["object", "int64", "bool"], "ab,10,no", 9),
        (["double", "float"], ["float64", "float32"], "1.5,2.5", 6),
    ],
)
def test_columns_without_names_of_any_types_are_taken_in_order(
    kinds: list[str], types: list[str], line: str, expected: int, registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Tells(types), "pyfunc", untyped(*kinds)))
    names = ",".join(f"any name {place}" for place in range(len(kinds)))

    assert scores(f"{names},id\n{line},7\n", loaded, tmp_path, row_id="id") == [expected]


def test_columns_without_names_must_be_as_many_as_the_signature_has(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Tells(["object", "int64"]), "pyfunc", untyped("string", "long")))

    with pytest.raises(InputError, match="expected 2 columns, got 3"):
        scores("a,b,c\nx,1,2\n", loaded, tmp_path)


# ---------------------------------------------------------------- arrays


class Array(PythonModel):
    """Tells what array came: its type, and the sum of each row."""

    def __init__(self, dtype: str, shape: tuple[int, ...]) -> None:
        self.dtype, self.shape = dtype, shape

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        assert type(model_input) is np.ndarray
        assert (str(model_input.dtype), model_input.shape[1:]) == (self.dtype, self.shape)
        return model_input if model_input.ndim == 1 else model_input.sum(axis=1)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32"])
@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_an_array_has_the_type_and_shape_of_the_signature(
    dtype: str, shape: tuple[int, ...], registry: Registry, load: Load, tmp_path: Path
) -> None:
    signature = ModelSignature(Schema([TensorSpec(np.dtype(dtype), (-1, *shape))]), Schema([ColSpec("double")]))
    loaded = load(registry.register(Array(dtype, shape), "pyfunc", signature))
    width = sum(shape) or 1

    assert scores("a,b\n3,4\n"[:None] if width == 2 else "a\n3\n", loaded, tmp_path) == [7.0 if width == 2 else 3.0]


class OfTexts(PythonModel):
    """Counts the characters of an array of texts."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        assert type(model_input) is np.ndarray
        return [len(text) for text in model_input.reshape(-1)]


@pytest.mark.parametrize("example", [["ab", "c"], [["ab"], ["c"]], np.array(["ab", "c"], object)])
def test_an_array_of_texts_is_one_column_in_the_shape_of_the_signature(
    example: Any, registry: Registry, load: Load, tmp_path: Path
) -> None:
    signature = infer_signature(np.array(example))
    loaded = load(registry.register(OfTexts(), "pyfunc", signature))

    assert scores("text,id\nhello,1\n007,2\n", loaded, tmp_path, row_id="id") == [5.0, 3.0]


class Named(PythonModel):
    """Takes arrays by name, as networks do."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        assert {name: (str(array.dtype), array.ndim) for name, array in model_input.items()} == {
            "a": ("int64", 1),
            "b": ("float32", 2),
        }
        return model_input["a"] * 10 + model_input["b"][:, 0]


def test_arrays_of_one_column_each_are_given_by_name(registry: Registry, load: Load, tmp_path: Path) -> None:
    inputs: list[Any] = [TensorSpec(np.dtype("int64"), (-1,), "a"), TensorSpec(np.dtype("float32"), (-1, 1), "b")]
    loaded = load(registry.register(Named(), "pyfunc", ModelSignature(Schema(inputs), Schema([ColSpec("double")]))))

    assert scores("b,c,a\n0.5,x,3\n1,y,4\n", loaded, tmp_path) == [30.5, 41.0]


class OneNamed(PythonModel):
    """Takes one array by its name."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        return model_input["X"].sum(axis=1)


def test_one_array_with_a_name_is_given_by_it(registry: Registry, load: Load, tmp_path: Path) -> None:
    inputs = Schema([TensorSpec(np.dtype("float32"), (-1, 2), "X")])
    loaded = load(registry.register(OneNamed(), "pyfunc", ModelSignature(inputs, Schema([ColSpec("double")]))))

    assert scores("p,q\n1,2\n", loaded, tmp_path) == [3.0]


# ---------------------------------------------------------------- named columns, as MLflow's enforcement has them


class Types(PythonModel):
    """Answers with the place of the type that a column has among those that it may have."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        kinds = ["float64", "float32", "int64", "int32", "bool", "object", "datetime64[ns]"]
        return [sum(kinds.index(str(kind)) * 10**at for at, kind in enumerate(model_input.dtypes))] * len(model_input)


ALL = columns("d:double", "f:float", "l:long", "i:integer", "b:boolean", "s:string", "t:datetime")


def test_columns_come_by_name_in_the_order_and_types_of_the_signature(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Types(), "pyfunc", ALL))
    text = "t,s,extra,b,i,l,f,d\n2024-01-01,x,?,no,3,4,5.5,6\n"

    assert scores(text, loaded, tmp_path) == [6543210.0]


@pytest.mark.parametrize(
    ("kind", "cell", "reason"),
    [
        # Of a file numbers have no type but the signature's: MLflow, which is given int64 for double, refuses that, and
        # digits for a text column too, where pandas.read_csv of that column alone would have made numbers of them.
        ("double", "3", ""),
        ("float", "3", ""),
        ("string", "007", ""),
        ("long", "2147483648", ""),
        ("long", "3.0", ""),
        ("boolean", "1", ""),
        ("integer", "2147483648", "invalid_value"),
        ("long", "9223372036854775808", "invalid_value"),
        ("long", "3.5", "invalid_value"),
        ("float", "1e39", "invalid_value"),
        ("double", "x", "invalid_value"),
        ("boolean", "2", "invalid_value"),
        ("datetime", "x", "invalid_value"),
    ],
)
def test_a_cell_is_of_its_column_s_type_or_its_record_invalid_never_wrapped_or_cut(
    kind: str, cell: str, reason: str, registry: Registry, load: Load, tmp_path: Path
) -> None:
    loaded = load(registry.register(Types(), "pyfunc", columns(f"a:{kind}")))

    assert scored(f"a\n{cell}\n", loaded, tmp_path).reasons == [reason]


def test_mlflow_s_own_check_refuses_whole_numbers_for_double_and_digits_for_text_so_it_is_no_oracle(
    registry: Registry,
) -> None:

    uri = registry.register(Types(), "pyfunc", columns("a:double"))
    loaded = mlflow.pyfunc.load_model(str(registry.files(uri)))
    with pytest.raises(MlflowException, match="Can not safely convert int64 to float64"):
        loaded.predict(pd.DataFrame({"a": [3]}))

    uri = registry.register(Types(), "pyfunc", columns("a:string"))
    loaded = mlflow.pyfunc.load_model(str(registry.files(uri)))
    with pytest.raises(MlflowException, match="Can not safely convert int64 to <U0"):
        loaded.predict(pd.DataFrame({"a": [7]}))


class Lacks(PythonModel):
    """Counts what is missing, and in which form: NaN, None and NaT are 1, 100 and 10,000."""

    def predict(self, context: Any, model_input: pd.DataFrame, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        def told(value: Any) -> int:
            return 100 if value is None else 10_000 if value is pd.NaT else int(value != value)

        return [sum(map(told, row)) for row in model_input.astype(object).itertuples(index=False)]


@pytest.mark.parametrize("mark", ["", "?"])
@pytest.mark.parametrize(
    ("kind", "required", "optional"),
    [
        ("double", 1.0, 1.0),
        ("float", 1.0, 1.0),
        ("string", 1.0, 1.0),
        ("boolean", 1.0, 1.0),
        ("datetime", 10_000.0, 10_000.0),
        ("long", "missing_value", 1.0),
        ("integer", "missing_value", 1.0),
    ],
)
def test_a_missing_value_reaches_the_model_but_in_a_required_whole_number(
    mark: str, kind: str, required: Any, optional: Any, registry: Registry, load: Load, tmp_path: Path
) -> None:
    """MLflow takes a missing value in a required column of the first five types too: required speaks of columns."""
    optional_column = columns(f"a:{kind}{mark}", "b:double")
    loaded = load(registry.register(Lacks(), "pyfunc", optional_column))
    good = {"string": "x", "boolean": "yes", "datetime": "2024-01-01"}.get(kind, "1")

    found = scored(f"a,b\n{good},1\nNA,1\n", loaded, tmp_path)

    expected = optional if mark else required
    assert found.reasons == ["", expected if isinstance(expected, str) else ""]
    if not isinstance(expected, str):
        assert found.predictions[:, 0].tolist() == [0.0, expected]


def test_an_absent_optional_column_is_missing_and_an_absent_required_one_ends_the_job(
    registry: Registry, load: Load, tmp_path: Path
) -> None:
    """MLflow gives a frame without the column; a model that reads it by name would raise KeyError there."""
    loaded = load(registry.register(Lacks(), "pyfunc", columns("a:double", "s:string?", "l:long?")))

    assert scores("a\n1\n", loaded, tmp_path) == [2.0]
    with pytest.raises(InputError, match="expected columns that are not there: a"):
        scores("s,l\nx,1\n", loaded, tmp_path)


# ---------------------------------------------------------------- what is given is the model's own


class Writes(PythonModel):
    """Writes into what it gets, and raises on one record."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        model_input.loc[:, "a"] += 1
        model_input["new"] = 5
        if (model_input["b"] == 3).any():
            raise ValueError("a record")
        return model_input["a"]


class WritesArray(PythonModel):
    """Writes into an array."""

    def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002 - mlflow's interface
        model_input[:, 0] += 1
        if (model_input[:, 1] == 3).any():
            raise ValueError("a record")
        return model_input[:, 0]


@pytest.mark.parametrize("as_array", [False, True])
def test_a_model_that_writes_into_its_input_gets_each_record_as_it_is_also_when_asked_again(
    as_array: bool, registry: Registry, load: Load, tmp_path: Path
) -> None:
    model, signature = (WritesArray(), infer_signature(np.ones((1, 2)))) if as_array else (Writes(), None)
    loaded = load(registry.register(model, "pyfunc", signature or columns("a:double", "b:long")))
    text = "a,b\n" + "".join(f"{row},{row}\n" for row in range(8))

    found = scored(text, loaded, tmp_path)

    assert found.reasons == ["", "", "", "model_error", "", "", "", ""]
    np.testing.assert_array_equal(found.predictions[:, 0], [1, 2, 3, np.nan, 5, 6, 7, 8])
