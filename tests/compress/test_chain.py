"""Chains as text: what reads, what is refused and why."""

import pytest

from dnnlab.compress import chain, stages
from dnnlab.compress.presets import PRESETS
from dnnlab.errors import UsageError


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("prune:0.95 > share:5bit > code", stages.CODED),
        ("prune:.95:oneshot:global@3>code", stages.CODED),
        ("prune:2of4", stages.SPARSE),
        ("structured:2x:taylor > int8:dynamic", stages.INT8),
        ("lowrank:0.9 > share:6levels", stages.SHARED),
        ("distill:hints > structured", stages.DENSE),
        ("int8:qat@2", stages.INT8),
    ],
)
def test_what_reads_is_written_as_it_reads(text, form):
    parsed = chain.parse(text)
    assert chain.form(parsed) == form
    assert chain.parse(chain.text(parsed)) == parsed


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("prun:0.9", "unknown stage 'prun': did you mean prune"),
        ("code", "code cannot follow what leaves a network dense"),
        ("share:5bit > prune:0.9", "prune cannot follow what leaves a network shared"),
        ("prune:0.9 > lowrank", "lowrank cannot follow what leaves a network sparse"),
        ("prune:0.9 > share > int8", "int8 cannot follow"),
        ("prune:1.5", "'1.5' says nothing to prune"),
        ("prune:0.9:slowly", "'slowly' says nothing to prune"),
        ("code:9", "it takes no argument|cannot follow"),
        ("prune:0.9@x", "must be a number of epochs"),
        ("prune:0.9 > code@3", "code does not train"),
        ("int8@3", "int8 does not train"),
        ("structured:1x", "makes nothing smaller"),
        ("share:17bit", "1bit to 16bit"),
        ("share:0levels", "1bit to 16bit"),
        ("prune:0.0", "does nothing"),
        ("", "unknown stage ''"),
        ("prune >", "unknown stage ''"),
    ],
)
def test_what_does_not_read_is_one_sentence(text, said):
    with pytest.raises(UsageError, match=said) as raised:
        chain.parse(text)
    assert "\n" not in str(raised.value)


def test_bits_and_levels_are_sizes_of_codebooks():
    """Five bits number 32 values; one of them is zero."""
    assert chain.parse("share:5bit")[0].levels == 31
    assert chain.parse("share:6levels")[0].levels == 6


def test_every_preset_reads():
    for preset in PRESETS.values():
        for text in (preset.chain, *preset.tuned.values()):
            assert chain.parse(text)
    assert PRESETS["smallest"].on("lenet300", "mnist") != PRESETS["smallest"].on("lenet300", "digits")


def test_a_chain_passes_through_forms():
    assert chain.forms(()) == (stages.DENSE,)
    parsed = chain.parse("structured:2x > prune:0.9 > share:5bit > code")
    assert chain.forms(parsed) == (stages.DENSE, stages.SPARSE, stages.SHARED, stages.CODED)


@pytest.mark.parametrize(
    ("strength", "amounts"),
    [
        (0.0, [".5000", "1.20x"]),
        (0.5, [".9684", "3.46x"]),  # one minus the root of 0.5 times 0.002, and the root of 1.2 times 10
        (1.0, [".9980", "10.00x"]),
    ],
)
def test_strength_runs_in_equal_ratios(strength, amounts):
    lowrank, structured, prune, share = chain.at_strength(
        chain.parse("lowrank:2x > structured:2x > prune:0.9 > share:5bit"), strength
    )
    assert [prune.amount, structured.amount] == amounts
    assert (lowrank.amount, share.amount) == ("2x", "5bit")
    pattern = chain.parse("prune:2of4")
    assert chain.at_strength(pattern, strength) == pattern
