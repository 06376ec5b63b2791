"""The words of sentences."""

import pytest
from torch import nn

from dnnlab.compress.stages import TooMuch
from dnnlab.errors import UsageError, first_line, in_full, in_short, listing, of_users_code, some


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


def test_of_an_exception_with_many_lines_the_first_that_says_something_is_told():
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert first_line(ValueError("one:")) == "one:"
    assert first_line(ValueError("")) == "ValueError"
    with pytest.raises(RuntimeError) as caught:
        nn.Linear(2, 3).load_state_dict(nn.Linear(2, 4).state_dict())
    assert first_line(caught.value).startswith("Error(s) in loading state_dict for Linear: size mismatch for weight")


def test_what_users_code_says_names_their_line_and_ends_without_a_full_stop():
    with pytest.raises(ValueError, match="wrong") as caught:
        exec(compile("\nraise ValueError('wrong.')", "/home/me/net.py", "exec"))
    assert of_users_code(caught.value) == "ValueError: wrong (net.py, line 2)"
    assert of_users_code(UsageError("Ask for less.")) == "Ask for less"
    assert in_full(UsageError("Ask\nfor less.")) == "Ask for less"
    with pytest.raises(ValueError, match="two") as caught:
        exec(compile("\nraise ValueError('two problems:\\n one\\n other.')", "/home/me/net.py", "exec"))
    assert in_full(caught.value) == "ValueError: two problems: one other (net.py, line 2)"
