import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchscore.input import delimiters
from batchscore.input.delimiters import Delimiters


@pytest.mark.parametrize("listed", [0, 10**9])  # by counting, by the list
@given(st.text("ab,", max_size=300).map(str.encode) | st.sampled_from([b"," * 64, b"," * 640, b"a" * 63 + b","]))
def test_a_delimiter_is_found_by_its_number(listed: int, text: bytes) -> None:
    places = [place for place, byte in enumerate(text) if byte == ord(",")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delimiters, "_LISTED", listed)
        found = Delimiters(np.frombuffer(text, np.uint8) == ord(","))
        assert found.count == len(places)
        assert found.places(np.arange(len(places))).tolist() == places
        assert found.places(np.arange(0, len(places), 3)).tolist() == places[::3]


def test_few_of_many_are_found_without_a_list_of_all_and_more_with_one() -> None:
    found = Delimiters(np.tile([True, False], 1000))
    assert found.places(np.array([0, 999])).tolist() == [0, 1998]
    assert "_list" not in vars(found)
    for number in range(20):
        assert found.places(np.array([number])).tolist() == [2 * number]
    assert "_list" in vars(found)
