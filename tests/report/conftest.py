import pytest

from . import sample


@pytest.fixture
def frame():
    return sample.FRAME.copy()
