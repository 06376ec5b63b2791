import pytest


@pytest.fixture(autouse=True)
def quick(short_timings):
    """What timings say is not tested here."""
