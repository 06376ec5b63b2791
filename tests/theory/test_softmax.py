"""p - e of logits that are known."""

import pytest

from dnnlab.theory.softmax import start


def test_small_logits_leave_all_classes_alike():
    """p = 1/C: two examples of one label have the same p - e, and those of two labels the cosine -1/(C - 1)."""
    found = start(-10.0, 0.3, 10)
    assert found.alike == pytest.approx(1, rel=0.02)
    assert found.differ == pytest.approx(1 / 81, rel=0.1)
    assert found.single == pytest.approx(1, rel=0.02)
    assert found.pull == pytest.approx(0, abs=0.01)


def test_large_logits_leave_one_class_or_none():
    """p is one class: ‖p - e‖² is 2, but in one of C cases 0, so that E‖·‖⁴/(E‖·‖²)² is C/(C - 1)."""
    found = start(12.0, 0.0, 10)
    assert found.single == pytest.approx(10 / 9, rel=0.05)
    assert found.pull == pytest.approx(1.539**2 / 1.8, rel=0.1)  # the largest of ten normals has the mean 1.539


def test_inputs_with_the_same_logits_and_label_are_one():
    found = start(2.0, 1.0, 10)
    assert found.alike == pytest.approx(found.single)
