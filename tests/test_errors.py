"""The words of sentences."""

from dnnlab.errors import listing


def test_a_listing_has_a_word_before_its_last():
    assert [listing(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert listing(iter("abc"), "or") == "a, b or c"
