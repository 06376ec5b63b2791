"""The columns of ``cells.csv`` and ``summary.csv``: names, types, meanings. The docs are made from here."""

from dnnlab.report.columns import (
    ANSWERS,
    DIVERGED_SEEDS,
    ERROR,
    EXACT,
    FAILED_SEEDS,
    SEED,
    SEEDS,
    Column,
    Schema,
    accuracy,
    estimate,
    verdict,
)
from dnnlab.report.numbers import Form
from dnnlab.runner import configuration
from dnnlab.statistics.quantity import ACCURACY as ACCURACIES
from dnnlab.statistics.quantity import Quantity

HEALTHY, EXPECTED, DYING, COLLAPSED = "healthy", "expected", "dying", "collapsed"
DIVERGED, UNDECIDED = "diverged", "undecided"
TONES = {
    HEALTHY: "good",
    EXPECTED: "good",
    DYING: "bad",
    COLLAPSED: "bad",
    DIVERGED: "bad",
    UNDECIDED: "muted",
}

CONFIGURATION = (
    *("model", "act", "init", "norm", "skip", "lr", "depth", "width", "data", "batch_size"),
    *("optimizer", "weight_decay", "clip"),
)

REMEDY = Column("remedy", str, "the cure; none for the network as it was asked for", screen="remedy")

CELLS = (
    REMEDY,
    *configuration.columns(CONFIGURATION),
    SEED,
    Column("step", int, "training steps taken before this look"),
    Column("layer", int, "0 for the network as a whole, 1 … depth for hidden layers or activations"),
    Column("name", str, "the layer by name; in a model of one's own the module that the activation reads, #2 if again"),
    Column("kind", str, "network, hidden or activation"),
    Column("layer_act", str, "the activation"),
    Column("units", float, "units of the layer; channels, where a convolution makes them"),
    Column("dead", float, "share of units that are zero on every one of the fixed inputs"),
    Column("born_dead", float, "share of units dead now that were dead before training"),
    Column("died", float, "share of units dead now that were alive before training"),
    Column("revived", float, "share of units alive now that were dead at an earlier look"),
    Column("newly_dead", float, "share of units dead now that were alive at the look before"),
    Column("certified_dead", float, "share of units proven zero on every input in the box of the training data"),
    Column("irreversible", float, "layer 1: share of units dead on all training data, which no gradient can reach"),
    Column("inactive", float, "share of units whose activation never reads a value above zero on those inputs"),
    Column("zero_fraction", float, "share of outputs that are zero: no sign of death, half of a healthy ReLU's are"),
    Column(
        "expected_dead",
        float,
        "share of units that chance leaves dead at birth: the mean over many networks freshly drawn; of an own model "
        "with --weights, the share dead in the same network freshly drawn",
    ),
    Column("fatal_update", float, "largest step of units newly dead since the look before, over their weights' norm"),
    Column("survived_update", float, "the same of units that stayed alive"),
    Column("pushed_down", float, "share of newly dead units whose mean pre-activation fell since the look before"),
    Column("survivors_down", float, "the same of units that stayed alive"),
    Column("weight_grad_norm", float, "Frobenius norm of the gradient of the layer's weights, on 128 fixed examples"),
    Column("delta_norm", float, "norm of the gradient at the layer's pre-activation, on the same"),
    Column("loss", float, "network: cross-entropy, in nats, on the same (own model: on all fixed inputs)"),
    Column("accuracy", float, "network: share of the validation split classified right"),
    *ANSWERS,
    Column("grad_norm", float, "network: mean global gradient norm of the steps since the look before"),
    Column("clipped_norm", float, "network: the same after clipping"),
    ERROR,
)

_STAYED = "mean over the seeds that did not collapse, or where none of these has a value, over all that have one"
STATE = (
    SEEDS,
    Column(
        "born_dead",
        float,
        "share of units dead before training, mean over all seeds",
        screen="born dead",
        form=Form.SHARE,
    ),
    Column(
        "expected_dead",
        float,
        "share of units that chance leaves dead at birth on these inputs: the mean over many networks freshly drawn; "
        "of an own model with --weights, the share dead in the same network freshly drawn",
        screen="expected",
        form=Form.SHARE,
    ),
    *estimate(
        "dead",
        f"share of units dead after training, {_STAYED}",
        "dead",
        form=Form.SHARE,
    ),
    *estimate(
        "collapsed",
        "share of seeds that collapsed: all units of a layer are dead, or the loss is not a number",
        interval=EXACT,
        form=Form.SHARE,
    ),
    *estimate(
        "died", f"share of units that were alive before training and are dead after it, {_STAYED}", form=Form.SHARE
    ),
    *estimate(
        "revived", f"share of units alive after training that were once dead, {_STAYED}", "revived", form=Form.SHARE
    ),
    *estimate(
        "back_first",
        f"of the units of layer 1 that were dead at some look, the share alive after training, {_STAYED}",
        form=Form.SHARE,
    ),
    *estimate("back_deeper", "the same of all later layers", form=Form.SHARE),
    Column(
        "certified_dead",
        float,
        "share of units proven zero on the whole box of the data, mean over all seeds",
        screen="certified",
        form=Form.SHARE,
    ),
    Column(
        "irreversible",
        float,
        "layer 1: share of units dead on all training data, which no gradient can reach, mean over all seeds",
        form=Form.SHARE,
    ),
    *estimate(
        "inactive", f"share of units whose activation never reads a value above zero, {_STAYED}", form=Form.SHARE
    ),
    Column(
        "zero_fraction",
        float,
        "share of zero outputs after training, mean over all seeds",
        screen="zeros",
        form=Form.SHARE,
    ),
)
END = (
    Column("loss", float, "cross-entropy after training, mean over the seeds that did not diverge"),
    Column("steps", int, "training steps", screen="steps"),
    DIVERGED_SEEDS,
    FAILED_SEEDS,
)


ACCURACY = (*accuracy("validation accuracy after training, mean over the seeds that learned"),)

SUMMARY = (
    *configuration.columns(CONFIGURATION),
    *STATE,
    Column("not_known", str, "activations whose units are not known, which all shares leave out"),
    *ACCURACY,
    verdict("healthy, expected, dying, collapsed, diverged or undecided"),
    Column(
        "fatal_update",
        float,
        "largest step of units before they died, over their weights' norm; mean over all seeds",
        form=Form.SHARE,
    ),
    Column("survived_update", float, "the same of units that stayed alive; mean over all seeds", form=Form.SHARE),
    *estimate(
        "pushed_down",
        f"share of deaths with a fall of the unit's mean pre-activation before it, {_STAYED}",
        form=Form.SHARE,
    ),
    *estimate(
        "pushed_more",
        "by how much this is above the share with such a fall among the units of the same layer that stayed alive "
        "between the same two looks",
        form=Form.CHANGE,
    ),
    *END,
)

_SHARES = ("dead", "died", "revived", "inactive")
QUANTITIES = (
    *(
        Quantity(name, share=True, less_is_better=name != "revived", failed="collapsed", step="step_of_share")
        for name in _SHARES
    ),
    ACCURACIES,
    Quantity("pushed_down", share=True, failed="collapsed"),
    Quantity("pushed_more", failed="collapsed"),
    Quantity("back_first", share=True, failed="collapsed", step="step_of_back_first"),
    Quantity("back_deeper", share=True, failed="collapsed", step="step_of_back_deeper"),
)
DEAD = QUANTITIES[0]

SCHEMA = Schema(CELLS, SUMMARY, TONES, CONFIGURATION, compared=QUANTITIES, first=("dead", "accuracy", "revived"))
