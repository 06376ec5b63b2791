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
from dnnlab.statistics.quantity import ACCURACY, Quantity

VANISHING, HEALTHY, EXPLODING, DEAD, UNDECIDED = "vanishing", "healthy", "exploding", "dead", "undecided"

FIRST, HIDDEN, OUTPUT, UNUSED = "first", "hidden", "output", "unused"

INFINITE = "infinite or not a number"
"""What the loss or δ is of a seed that has left the range of numbers."""

TONES = {VANISHING: "bad", HEALTHY: "good", EXPLODING: "bad", DEAD: "bad", UNDECIDED: "muted"}

CONFIGURATION = (
    *("model", "act", "init", "norm", "skip", "depth", "width", "data", "batch_size"),
    *("optimizer", "lr", "weight_decay", "dropout", "clip"),
)

CELLS = (
    *configuration.columns(CONFIGURATION),
    SEED,
    Column(
        "remedy",
        str,
        "the option that is changed and its value, such as norm layer: measured at initialisation where the network "
        "seems unhealthy; empty for the network itself",
    ),
    Column("step", int, "training steps taken before this measurement"),
    Column("layer", int, "0 for the network as a whole, 1 … depth for hidden layers, depth + 1 for the output"),
    Column("name", str, "the layer by name; in a model of one's own after the parameter, with #2, #3 for later calls"),
    Column("kind", str, "network, hidden, output, or the class of the module that owns the parameter"),
    Column(
        "place",
        str,
        "first for a hidden layer that reads the network's input, and nothing that another layer made of it; hidden "
        "for the others; constant for one that reads parameters alone; output for what gives the logits; unused where "
        "no logit depends on it",
    ),
    Column("layer_act", str, "the activation that reads this layer's output"),
    Column("weight_grad_norm", float, "Frobenius norm of the gradient of the layer's weights"),
    Column("delta_norm", float, "norm of δ, the gradient at the layer's pre-activation y, over the batch"),
    Column("act_grad_norm", float, "norm of the gradient at the output of the activation that reads y"),
    Column("branch_grad_norm", float, "of δ, the part that arrives through the branch of a skip connection"),
    Column("skip_grad_norm", float, "of δ, the part that arrives through the skip itself"),
    Column("weight_factor", float, "from δ one layer on to the activation here: what the weights do"),
    Column("act_factor", float, "through the activation: what its slope does"),
    Column("norm_factor", float, "through the normalisation"),
    Column("skip_factor", float, "what the skip adds; the four factors multiply to the ratio of the two δ"),
    Column("mean", float, "mean of the activation's output"),
    Column("variance", float, "variance of the activation's output, over units and inputs"),
    Column("saturation", float, "share of its outputs held flat, as that activation defines it"),
    Column("dead_fraction", float, "share of units that are zero on every input of the measured batch"),
    Column("zero_fraction", float, "share of the activation's outputs that are zero"),
    Column("update_ratio", float, "norm of the step's change of the weights over their norm; near 0.001 is usual"),
    Column(
        "weight_change",
        float,
        "when trained: norm of the weights' change since initialisation over their norm then",
    ),
    Column("loss", float, "network: cross-entropy of the measured batch, in nats"),
    Column("accuracy", float, "network: share of the validation split classified right (when trained)"),
    *ANSWERS,
    Column("grad_norm", float, "network: mean global gradient norm of the steps since the last measurement"),
    Column("clipped_norm", float, "network: the same after clipping"),
    Column("clipped_share", float, "network: share of those steps whose gradient was clipped"),
    Column("input_mean_square", float, "network: mean square of the inputs"),
    Column("input_variance", float, "network: variance of the inputs over the batch, mean over features"),
    Column(
        "input_square_spread", float, "network: standard deviation, over the inputs of the batch, of their mean squares"
    ),
    Column(
        "input_product_spread", float, "network: standard deviation, over pairs of inputs, of the mean of their product"
    ),
    Column("input_features", float, "network: features of an input"),
    Column("classes", float, "network: classes of the data"),
    Column(
        "jacobian_max",
        float,
        "network: largest singular value of the input–output Jacobian, mean over inputs",
    ),
    Column("jacobian_median", float, "network: its median singular value"),
    Column("jacobian_min", float, "network: its smallest singular value"),
    Column("jacobian_rms", float, "network: root mean square of its singular values"),
    ERROR,
)

SUMMARY = (
    *configuration.columns(CONFIGURATION),
    SEEDS,
    *estimate(
        "rate",
        "factor by which the norm of δ changes from a layer to the one before it: least squares over the hidden "
        "layers, at initialisation; geometric mean over the seeds in which each of them received a finite gradient, "
        "and in a model of one's own over those that did",
        "rate",
    ),
    *estimate(
        "rate_theory",
        "the rate that mean-field theory predicts at this width",
        "theory",
        ends="theory",
        interval="95 % band for this width, batch size and number of seeds",
    ),
    Column("z", float, "distance of measurement and theory, in standard errors of the band"),
    Column("no_theory", str, "why theory is silent"),
    *estimate(
        "first_last_ratio",
        "norm of δ in the first hidden layer over the last, in a model of one's own of those that received a gradient; "
        "geometric mean over the seeds in which both received a finite one, and 0 where in most seeds δ is exactly "
        "zero at every layer that reads the input",
        "first/last",
    ),
    Column(
        "no_gradient",
        str,
        "what the rate leaves out: in a model of one's own the layers that received none, in another network the seeds "
        "in which the gradient is zero at some hidden layer; and the seeds in which the loss or a gradient is infinite "
        "or not a number",
    ),
    verdict("vanishing, healthy, exploding, dead or undecided"),
    Column("weight_term", float, "the rate's factor from the weights"),
    Column("act_term", float, "the rate's factor from the activation's slope"),
    Column("norm_term", float, "the rate's factor from normalisation"),
    Column("skip_term", float, "the rate's factor from the skip; the four multiply to the rate"),
    Column("saturation", float, "mean over hidden layers at initialisation", form=Form.SHARE),
    Column("dead_fraction", float, "mean over hidden layers at initialisation", form=Form.SHARE),
    *estimate("zero_fraction", "mean over hidden layers at initialisation", form=Form.SHARE),
    Column(
        "max_depth",
        float,
        "6 times the shortest depth scale, of correlations or of gradients: the depth to which theory expects such a "
        "plain network to train; empty where the mean square of pre-activations has no fixed point",
        counted=True,
    ),
    Column(
        "remedy",
        str,
        "of an unhealthy network: options that were changed, one at a time, and measured at initialisation on the same "
        "seeds and batches; with the rate and its interval where the network is healthy then, else with the verdict",
    ),
    Column("remedy_command", str, "the commands that apply those under which it is healthy, in the same order"),
    Column("steps", int, "training steps", screen="steps"),
    *estimate("rate_end", "the rate after training", "rate after"),
    *estimate(
        "first_change",
        "norm of the change of the first hidden layer's weights by training over their norm before it, mean over seeds",
        form=Form.SHARE,
    ),
    *estimate(
        "change_spread",
        "the largest such change of a hidden layer over the smallest, geometric mean over seeds: 1 where training "
        "moves all layers alike",
        form=Form.FACTOR,
    ),
    *estimate("loss", "cross-entropy of the measured batch after training, mean over the seeds that did not diverge"),
    *accuracy("validation accuracy after training, mean over the seeds that learned"),
    Column("clipped_share", float, "share of training steps whose gradient was clipped", form=Form.SHARE),
    Column("jacobian_rms", float, "root mean square singular value of the input–output Jacobian, geometric mean"),
    Column(
        "jacobian_spread",
        float,
        "its largest over its smallest singular value, geometric mean over seeds",
        form=Form.FACTOR,
    ),
    DIVERGED_SEEDS,
    *estimate(
        "diverged_share", "share of seeds whose loss became infinite or not a number", interval=EXACT, form=Form.SHARE
    ),
    FAILED_SEEDS,
)

RATE = Quantity("rate", log=True)
FIRST_LAST = Quantity("first_last_ratio", log=True)
ZEROS = Quantity("zero_fraction", share=True)
TRAINED = (
    Quantity("rate_end", log=True),
    Quantity("first_change", step="resolution"),
    Quantity("change_spread", log=True),
    Quantity("loss", less_is_better=True),
)
"""What is known after training, beside the accuracy."""
SCHEMA = Schema(
    CELLS,
    SUMMARY,
    TONES,
    CONFIGURATION,
    compared=(RATE, ACCURACY, FIRST_LAST, ZEROS, *TRAINED),
    first=("rate", "accuracy", "rate_theory", "rate_end", "first_last_ratio"),
)
