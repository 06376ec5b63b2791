"""The words of sentences."""

from dnnlab.compress.stages import TooMuch
from dnnlab.errors import UsageError, in_short, listing, some


def test_a_listing_has_a_word_before_its_last():
    assert [listing(names) for names in (["a"], ["a", "b"], ["a", "b", "c"])] == ["a", "a and b", "a, b and c"]
    assert listing(iter("abc"), "or") == "a, b or c"


def test_some_says_how_many_are_left_out():
    assert some(["a"]) == "a"
    assert some(["a", "b", "c"]) == "a, b and c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"
    assert some(list("abcdef"), 5) == "a, b, c, d, e and 1 more"


def test_an_exception_in_short_has_its_kind_unless_it_is_a_sentence_of_dnnlab():
    assert in_short(KeyError("a\nb")) == "KeyError: 'a\\nb'"
    assert in_short(ValueError()) == "ValueError"
    assert in_short(UsageError("Ask\nfor less.")) == in_short(TooMuch("Ask for less.")) == "Ask for less."
    assert in_short(TooMuch()) == "TooMuch"
