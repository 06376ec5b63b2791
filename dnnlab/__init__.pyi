# Written by `make docs` from the options of the experiments.
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from dnnlab.runner.result import Run

__version__: str


def gradient_flow(
    *,
    act: str | Sequence[str] = ...,
    depth: int | Sequence[int] = ...,
    width: int | Sequence[int] = ...,
    init: str | Sequence[str] = ...,
    norm: str | Sequence[str] = ...,
    skip: str | Sequence[str] = ...,
    arch: str | Sequence[str] = ...,
    model: str = ...,
    weights: str = ...,
    data: str | Sequence[str] = ...,
    batch_size: int | Sequence[int] = ...,
    seeds: int = ...,
    seed: int = ...,
    steps: int = ...,
    every: int = ...,
    optimizer: str | Sequence[str] = ...,
    lr: float | Sequence[float] = ...,
    weight_decay: float | Sequence[float] = ...,
    dropout: float | Sequence[float] = ...,
    clip: float | Sequence[float] = ...,
    jacobian: bool = ...,
    device: str = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Measure how gradients travel through a deep network, beside what theory predicts.

    Every option that takes a list (TEXT,… INT,…) takes several values; several lists mean all combinations.

    Examples

    Vanishing, and three cures: dnnlab gradient-flow --act sigmoid --depth 20, then with
    --norm batch, --skip residual or --init critical.

    A table of activations on MNIST: dnnlab gradient-flow --act sigmoid,tanh,relu,gelu --depth 5,20,50
    --data mnist --seeds 10

    Along training: dnnlab gradient-flow --act relu --depth 20 --steps 500 --optimizer adam --lr 0.001

    Published networks: dnnlab gradient-flow --arch plain56,resnet56 --data cifar10, and on inputs by chance of
    ImageNet's size: dnnlab gradient-flow --arch vgg11,resnet18 --data gaussian:3x224x224

    Your own network and images: dnnlab gradient-flow --model mypackage.nets:factory --data folder:images

    Options, as keyword arguments:

    act: Activation: linear, sigmoid, tanh, relu, leaky_relu, prelu, elu, selu, swish, gelu, any of
        torch.nn, or a sequence such as relu*10+gelu*10.
    depth: Hidden layers. (a whole number from 2 to 2000)
    width: Units in each hidden layer. (a whole number from 1 to 16,384)
    init: Initialiser: torch, xavier, he, lecun, rai, orthogonal, normal:STD, critical.
    norm: Normalisation before the activation: none, batch or layer.
    skip: Skip connections: none, residual, residual:SCALE, highway, dense.
    arch: Published networks instead: of the catalogue (dnnlab compare-arch --list), with options as in
        resnet20:act=gelu,norm=none; or, as in compare-arch, your own and .toml files.
    model: Your own network instead: package.module:factory (found from the current folder too),
        torchvision:NAME or timm:NAME.
    weights: Weights of --model, or of one --arch: a .safetensors file.
    data: digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian:SHAPE,
        tokens:VOCABULARYxLENGTH, parity:BITS or compositional:INPUTS; see dnnlab data.
    batch_size: Examples in a batch. (a whole number from 2 to 65,536)
    seeds: How many seeds; under three there is no verdict. (a whole number from 1 to 10,000)
    seed: Base of the seeds. (a whole number from 0 to 4,294,967,295)
    steps: Training steps; 0 measures at initialisation only. (a whole number of at least 0)
    every: Measure every so many steps; 0 means ten times in all. (a whole number of at least 0)
    optimizer: sgd, momentum, adam, adamw, rmsprop, adagrad.
    lr: Learning rate. (a number from 0 to 1e+06)
    weight_decay: Weight decay. (a number from 0 to 1000)
    dropout: Share of activations dropped. (a number from 0 to 0.99)
    clip: Clip the global gradient norm at this; 0 does not. (a number from 0 to 1e+09)
    jacobian: Singular values of the input–output Jacobian.
    device: auto, cpu, cuda or mps.
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def dead_relu(
    *,
    act: str | Sequence[str] = ...,
    depth: int | Sequence[int] = ...,
    width: int | Sequence[int] = ...,
    init: str | Sequence[str] = ...,
    norm: str | Sequence[str] = ...,
    skip: str | Sequence[str] = ...,
    arch: str | Sequence[str] = ...,
    model: str = ...,
    weights: str = ...,
    data: str | Sequence[str] = ...,
    inputs: int = ...,
    batch_size: int | Sequence[int] = ...,
    seeds: int = ...,
    seed: int = ...,
    steps: int | None = ...,
    every: int = ...,
    optimizer: str | Sequence[str] = ...,
    lr: float | Sequence[float] = ...,
    weight_decay: float | Sequence[float] = ...,
    clip: float | Sequence[float] = ...,
    remedies: bool = ...,
    prune_dead: str = ...,
    device: str = ...,
    born: bool = ...,
    nets: int = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Find dead units: who dies, when, why, and which cure works.

    A unit is dead when it is zero on every input of a fixed set. Beside what is measured stands what chance alone
    would leave dead at birth.

    Examples

    Which learning rates kill: dnnlab dead-relu --lr 0.01,0.1,1 --init he,xavier --seeds 10

    Which cure works: dnnlab dead-relu --lr 1 --remedies --seeds 10

    Whole networks born dead, by width: dnnlab dead-relu --born

    Published networks at birth: dnnlab dead-relu --arch alexnet,vgg11 --data gaussian:3x224x224

    Your own trained network: dnnlab dead-relu --model mypackage.nets:factory --weights net.safetensors --data
    folder:images --prune-dead smaller.safetensors

    Options, as keyword arguments:

    act: Activation: linear, sigmoid, tanh, relu, leaky_relu, prelu, elu, selu, swish, gelu, any of
        torch.nn, or a sequence such as relu*10+gelu*10.
    depth: Hidden layers; 5 when not given, 9 with --born. (a whole number from 1 to 2000)
    width: Units in each hidden layer; 64 when not given, 2 to 10 with --born. (a whole number from 1 to
        16,384)
    init: Initialiser: torch, xavier, he, lecun, rai, orthogonal, normal:STD, critical.
    norm: Normalisation before the activation: none, batch or layer.
    skip: Skip connections: none, residual, residual:SCALE, highway, dense.
    arch: Published networks instead: of the catalogue (dnnlab compare-arch --list), with options as in
        resnet20:act=gelu,norm=none; or, as in compare-arch, your own and .toml files.
    model: Your own network instead: package.module:factory (found from the current folder too),
        torchvision:NAME or timm:NAME.
    weights: Weights of --model, or of one --arch: a .safetensors file.
    data: digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian:SHAPE,
        tokens:VOCABULARYxLENGTH, parity:BITS or compositional:INPUTS; see dnnlab data.
    inputs: Training examples that a unit must be zero on to be dead; 0 takes all. (a whole number of at
        least 0)
    batch_size: Examples in a batch. (a whole number from 2 to 65,536)
    seeds: How many seeds; under three there is no verdict. (a whole number from 1 to 10,000)
    seed: Base of the seeds. (a whole number from 0 to 4,294,967,295)
    steps: Training steps; 0 looks at the network as it is. 500 when not given, 0 with --arch or
        --model. (a whole number of at least 0)
    every: Measure every so many steps; 0 means ten times in all. (a whole number of at least 0)
    optimizer: sgd, momentum, adam, adamw, rmsprop, adagrad.
    lr: Learning rate. (a number from 0 to 1e+06)
    weight_decay: Weight decay. (a number from 0 to 1000)
    clip: Clip the global gradient norm at this; 0 does not. (a number from 0 to 1e+09)
    remedies: Repeat everything under each cure, on the same seeds and batches, and compare.
    prune_dead: Write the network with --weights here without its certified dead units: a .safetensors
        file.
    device: auto, cpu, cuda or mps.
    born: How often a whole narrow, deep net of one input is constant from birth, by Monte Carlo.
    nets: Networks drawn for each width, depth and init. (a whole number from 100 to 10,000,000)
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def compare_arch(
    *,
    arch: str | Sequence[str] = ...,
    preset: str = ...,
    block: bool = ...,
    list: bool = ...,
    weights: str | Sequence[str] = ...,
    freeze: str | Sequence[str] = ...,
    cost_only: bool = ...,
    measure_costs: bool = ...,
    input: str = ...,
    data: str | Sequence[str] = ...,
    train_size: int | Sequence[int] = ...,
    test_size: int = ...,
    seeds: int = ...,
    seed: int = ...,
    budget: str | Sequence[str] = ...,
    batch_size: int | Sequence[int] = ...,
    optimizer: str | Sequence[str] = ...,
    lr: float | Sequence[float] = ...,
    weight_decay: float | Sequence[float] = ...,
    schedule: str | Sequence[str] = ...,
    label_smoothing: float | Sequence[float] = ...,
    augment: str | Sequence[str] = ...,
    tune: str | Sequence[str] = ...,
    ema: float | Sequence[float] = ...,
    device: str = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Compare architectures: what they cost, and how well they do at an equal budget, in one table.

    The first network, with the first training options, is what the others are compared with, seed by seed.

    Examples

    Depth with and without shortcuts: dnnlab compare-arch --arch plain20,resnet20,plain56,resnet56 --data cifar10
    --budget epochs=10 --seeds 5

    Each at its own best learning rate: dnnlab compare-arch --arch plain20,resnet20 --lr 0.03,0.1,0.3 --tune
    lr

    Does the order change with what is equal? dnnlab compare-arch --arch resnet20,mobilenet_v2 --budget
    epochs=5,macs=1e12,seconds=60

    With options, and a network of your own: dnnlab compare-arch --arch
    resnet20,resnet20:act=gelu,norm=none,mypackage.nets:factory --data folder:images

    Costs without training, at the published inputs: dnnlab compare-arch --arch resnet50,vit_b_16 --cost-only;
    at those of data or at others with --data cifar10 or --input 3x64x64. They are counted and
    predicted in seconds; with --measure-costs times and memory are measured, too.

    What the catalogue holds: dnnlab compare-arch --list. Building blocks side by side:
    dnnlab compare-arch --block

    The lecture's own comparisons: dnnlab compare-arch --preset depth --data cifar10

    Options, as keyword arguments:

    arch: Networks: of the catalogue (--list), with options as in resnet20:act=gelu,norm=none; your own
        as package.module:factory; torchvision:NAME or timm:NAME; a .toml file that dnnlab nas wrote.
    preset: A comparison of the lecture; options given beside it win where they differ from the usual
        defaults. depth: plain against residual networks of the same parameters; shallow-deep: hidden
        units that parity of n bits and a compositional function need, shallow and deep; transfer: a
        network trained on half of the classes, frozen but for its head, on few examples of the others;
        separability: how well a linear classifier does on each layer; activations: one network under
        each activation; regularisation: augmentation, dropout and weight decay, alone and together;
        init-norm-order: one network under each normalisation, and with it before and after the
        activation.
    block: Building blocks side by side: parameters, MACs and time.
    list: Print the catalogue with its costs, and leave.
    weights: What weights start as: fresh, or a .safetensors file, whose head is left out where its
        classes are others. Several are compared.
    freeze: What is not trained: none, or body, which is all but the head.
    cost_only: Costs alone: networks are counted and their memory is predicted; nothing is run.
    measure_costs: With --cost-only: run the networks as well, to measure their times and the memory of
        their training. Where networks are trained, both are measured anyway.
    input: With --cost-only and without --data: the shape of the input at which networks are counted,
        such as 3x224x224. When not given, the published one of each network of the catalogue.
    data: digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian:SHAPE,
        tokens:VOCABULARYxLENGTH, parity:BITS or compositional:INPUTS; see dnnlab data. When not given
        digits, but with --cost-only networks are counted at their published inputs.
    train_size: Training examples; 0 takes all. (a whole number of at least 0)
    test_size: Test examples; 0 takes all. (a whole number of at least 0)
    seeds: How many seeds; under three there is no verdict. (a whole number from 1 to 10,000)
    seed: Base of the seeds. (a whole number from 0 to 4,294,967,295)
    budget: What is equal for all: epochs=N, steps=N, macs=N or seconds=N of training. Several are
        compared.
    batch_size: Examples in a batch. (a whole number from 2 to 65,536)
    optimizer: sgd, momentum, adam, adamw, rmsprop, adagrad.
    lr: Learning rate. (a number from 0 to 1e+06)
    weight_decay: Weight decay. (a number from 0 to 1000)
    schedule: Course of the learning rate: cosine, onecycle, constant.
    label_smoothing: Share of a label spread over all classes. (a number from 0 to 0.99)
    augment: Change images at random: none, flip, crop, crop+flip, crop+flip+cutout, shift.
    tune: Compare each network at its own best values of these options, of the lists that they have:
        batch_size, optimizer, lr, weight_decay, schedule, label_smoothing, augment, ema. The first two
        seeds choose, by validation accuracy; the others are judged.
    ema: Judge the average of the weights that decays by this a step; 0 judges the weights themselves.
        (a number from 0 to 0.99999)
    device: auto, cpu, cuda or mps.
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def compress(
    *,
    arch: str | Sequence[str] = ...,
    model: str = ...,
    weights: str = ...,
    method: str | Sequence[str] = ...,
    chain: str | Sequence[str] = ...,
    preset: str = ...,
    student: str = ...,
    controls: bool = ...,
    max_drop: float = ...,
    target: str = ...,
    trials: int = ...,
    data: str | Sequence[str] = ...,
    train_size: int = ...,
    seeds: int = ...,
    seed: int = ...,
    epochs: float | None = ...,
    batch_size: int = ...,
    optimizer: str = ...,
    lr: float = ...,
    weight_decay: float = ...,
    schedule: str = ...,
    augment: str = ...,
    recover: float | None = ...,
    recover_lr: float = ...,
    recover_augment: str = ...,
    temperature: float = ...,
    teaching: float = ...,
    inference_batch: int = ...,
    device: str = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Make a network smaller: five techniques, alone and in chains, with every byte of the written file counted.

    A row's accuracy is that of the file, read back; its ratio is 4 bytes a parameter over the bytes of that file.

    Examples

    Methods side by side: dnnlab compress --arch lenet300 --data mnist
    --method prune,share,lowrank,structured,int8

    A chain, and what each stage does: dnnlab compress --chain "prune:0.95 > share:5bit > code"

    Han's recipe, with controls of equal bytes: dnnlab compress --arch lenet300 --data mnist --preset
    deep-compression --controls

    The smallest file that loses less than a point on validation data: dnnlab compress --preset smallest
    --max-drop 1

    Your own network: dnnlab compress --model mypackage.nets:factory --weights net.safetensors --data folder:images
    --preset mobile

    Options, as keyword arguments:

    arch: Networks of the catalogue (dnnlab compare-arch --list), with options as in resnet20:width=0.5;
        lenet300 when neither this nor --model is given.
    model: Your own network instead: package.module:factory (found from the current folder too),
        torchvision:NAME or timm:NAME.
    weights: Weights of --model, or of one --arch: a .safetensors file.
    method: Methods side by side, each a chain of one stage: prune, structured, lowrank, distill, share,
        code, int8; with arguments as in --chain.
    chain: Stages in turn, such as 'prune:0.95 > share:5bit > code'; @EPOCHS after a stage says how long
        the network then recovers.
    preset: A chain by name. deep-compression: prune, share, entropy-code (Han 2016); mobile: fewer
        channels, then INT8; smallest: the fewest bytes: most weights at zero, few levels, entropy-
        coded.
    student: Network that distill trains: of the catalogue or your own. When not given, --arch at a
        quarter of its width.
    controls: Beside each chain: random pruning and a small dense network of as many bytes, and the
        network itself after as many epochs more.
    max_drop: Search for the smallest file that loses less than this many percentage points on
        validation data; 0 does not search. (a number from 0 to 100)
    target: Search for the most accurate file of this ratio, such as 10x.
    trials: How many chains a search tries for each seed. (a whole number from 2 to 100)
    data: digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian:SHAPE,
        tokens:VOCABULARYxLENGTH, parity:BITS or compositional:INPUTS; see dnnlab data.
    train_size: Training examples; 0 takes all. (a whole number of at least 0)
    seeds: How many seeds; under three there is no verdict. (a whole number from 1 to 10,000)
    seed: Base of the seeds. (a whole number from 0 to 4,294,967,295)
    epochs: Epochs of training of the network itself; with --weights it is not trained. When not given
        10, or as many as make 2000 steps if that is more. (a number from 0 to 10,000)
    batch_size: Examples in a batch. (a whole number from 2 to 65,536)
    optimizer: sgd, momentum, adam, adamw, rmsprop, adagrad.
    lr: Learning rate. (a number from 0 to 1e+06)
    weight_decay: Weight decay. (a number from 0 to 1000)
    schedule: Course of the learning rate: cosine, onecycle, constant.
    augment: Change images at random, before and after compressing alike: none, flip, crop, crop+flip,
        crop+flip+cutout, shift.
    recover: Epochs of recovery after a stage that does not say. When not given 10, or as many as make
        2000 steps if that is more. (a number from 0 to 10,000)
    recover_lr: Learning rate of recovery. (a number from 0 to 1e+06)
    recover_augment: Change images in recovery in another way than the network itself was trained with,
        as Hinton's student saw plain ones; --augment when not given.
    temperature: Temperature at which the teacher speaks. (a number from 0.01 to 1000)
    teaching: Share of the teacher in the loss of recovery; 0 learns from labels alone. (a number from 0
        to 1)
    inference_batch: How many inputs one call has when the file is used. int8:dynamic has one range for
        all inputs of a call, so that its accuracy is judged with calls of this size. (a whole number
        from 1 to 100,000)
    device: auto, cpu, cuda or mps.
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def nas(
    *,
    strategy: str | Sequence[str] = ...,
    space: str = ...,
    table: str = ...,
    objectives: str | Sequence[str] = ...,
    proxies: bool = ...,
    budget: str = ...,
    finalists: int = ...,
    retrain: int = ...,
    fidelity: int | Sequence[int] = ...,
    data: str | Sequence[str] = ...,
    train_size: int = ...,
    seeds: int = ...,
    seed: int = ...,
    epochs: int = ...,
    batch_size: int = ...,
    optimizer: str = ...,
    lr: float = ...,
    weight_decay: float = ...,
    augment: str = ...,
    device: str = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Search for an architecture: every strategy of the lecture on one budget, with random search beside it.

    Proxies, supernets, failures and retraining count. The best few are trained anew from fresh weights, and the test is
    read once.

    Examples

    Four strategies on real digits: dnnlab nas --strategy random,evolution,rl,darts --budget 64 --seeds 5

    The same cells that others search, from a published table: dnnlab nas --space cell --table
    nasbench201-cifar10.csv.gz --budget 200 --seeds 500

    Accurate and small: dnnlab nas --objectives accuracy,parameters --strategy evolution,nsga2

    Which cheap scores can be trusted on these data: dnnlab nas --proxies --budget 100 --seeds 1

    A space of your own: dnnlab nas --space mypackage.spaces:space --data folder:images

    Options, as keyword arguments:

    strategy: random: random search; evolution: regularised evolution (AmoebaNet); rl: a REINFORCE
        controller (NASNet); local: local search with restarts; darts: gradients through a supernet
        (DARTS); oneshot: shared weights, one path at a time; halving: successive halving over epochs;
        hyperband: halving that hedges its first epochs; tpe: tree-structured Parzen estimator; nsga2:
        NSGA-II; darts:EPOCHS: supernets of so many epochs, or of as many as the budget pays for;
        proxy:NAME: random search behind a zero-cost proxy. Random search always runs beside them.
    space: mlp: layers, widths, activations; conv: stages of blocks; cell: the NAS-Bench-201 cell; or
        your own as package.module:space.
    table: Search this published table of the cell space instead of training: a CSV file with the
        columns cell, val_accuracy_EPOCHS, test_accuracy_EPOCHS, here or in $DNNLAB_DATA.
    objectives: What is pursued at once, accuracy first: accuracy, parameters, macs, bytes, latency.
    proxies: Do not search: train --budget random architectures, and correlate with cheap scores of
        them: naswot, jacob_cov, synflow, snip, grad_norm, fisher, parameters, MACs, a short training,
        shared weights.
    budget: What each search may spend in all: a number of trainings, or epochs=N, macs=N, seconds=N.
    finalists: How many of the best of a search are trained anew. (a whole number from 1 to 100)
    retrain: How often each of these is trained from fresh weights. (a whole number from 1 to 100)
    fidelity: Epochs of the short trainings that halving and hyperband look at first; a ninth and a
        third of --epochs when not given. (a whole number from 1 to 100,000)
    data: digits, mnist, fashion-mnist, cifar10, folder:PATH, csv:PATH:TARGET, gaussian:SHAPE,
        tokens:VOCABULARYxLENGTH, parity:BITS or compositional:INPUTS; see dnnlab data.
    train_size: Training examples; 0 takes all. (a whole number of at least 0)
    seeds: How many seeds; under three there is no verdict. (a whole number from 1 to 10,000)
    seed: Base of the seeds. (a whole number from 0 to 4,294,967,295)
    epochs: Epochs of a full training. (a whole number from 1 to 100,000)
    batch_size: Examples in a batch. (a whole number from 2 to 65,536)
    optimizer: sgd, momentum, adam, adamw, rmsprop, adagrad.
    lr: Learning rate, which falls as a cosine. (a number from 0 to 1e+06)
    weight_decay: Weight decay. (a number from 0 to 1000)
    augment: Change images at random: none, flip, crop, crop+flip, crop+flip+cutout, shift.
    device: auto, cpu, cuda or mps.
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def check(
    *,
    statement: str | Sequence[str] = ...,
    out: str | Path = ...,
    name: str = ...,
    fresh: bool = ...,
    large: bool = ...,
    engine: str = ...,
    quiet: bool = ...,
) -> Run:
    """Check statements that arithmetic and counting decide, with the derivation shown.

    Examples

    dnnlab check --statement "0.25^20 = 9.09e-13"

    dnnlab check --statement "params(resnet50) < params(resnet34)" --statement "largest_slope(tanh) = 1"

    Arithmetic is exact. Where a function gives a rounded number, an inequality is undecided if its sides are too close to
    tell, and an = holds. After = a number on the right with a point or an exponent is meant to the digits that are written.
    Besides + - · / ^ and brackets there are

    params(NAME): trainable parameters of a network of the catalogue, in inference; macs(NAME): its multiply–accumulates of one forward pass, at its published input size; memory(NAME, BATCH): bytes that a training step takes at most, predicted; depth(NAME): its convolutions and linear layers along the longest path; inputs(NAME, "MODULE"): channels that the first convolution or linear layer of a module of it reads; outputs(NAME, "MODULE"): channels that the last one there puts out; connections(NAME, "MODULE"): tensors that its parts read, of its input and of each other; sawtooth_pieces(LAYERS, UNITS): linear pieces of the sawtooth that so many layers of so many ReLUs fold; parity_errors(BITS, LAYERS, UNITS): patterns, of all, of which the same network gets the parity wrong; patterns(FEATURES, PLACES): different conjunctions of two features, at 1 or 2 places; top1(NAME): its published accuracy in %; value(ACT, X): the activation at a point; slope(ACT, X): its derivative there, where it has one; largest_slope(ACT): its largest derivative; smallest_slope(ACT): its smallest; mean(ACT): its mean over standard normal inputs; variance(ACT): its variance over them; zero_share(ACT): the share of them on which it is exactly zero; sqrt(X); exp(X); log2(X).

    Options, as keyword arguments:

    statement: Two sides and a relation: =, <, >, ≤ or ≥. May be repeated.
    out: Root folder of all runs.
    name: Name of the run's folder, before its key.
    fresh: Measure anew, beside an earlier run of the same.
    large: Measure even a plan of more than a million cells.
    engine: Who measures: auto, inline (this process), processes or processes:N, ray or ray:ADDRESS,
        submitit or submitit:PARTITION. The numbers are the same.
    quiet: No progress, no messages.
    """
    ...


def create_model(
    name: str,
    *,
    num_classes: int | None = ...,
    in_chans: int | None = ...,
    input_size: int | None = ...,
    **options: Any,
) -> nn.Module:
    """A fresh network, initialised as its paper says.

    It gets images ``[batch, in_chans, input_size, input_size]``, or tokens ``[batch, input_size]`` in int64 where it
    was published for them, as ``bert_base`` was, and gives logits ``[batch, num_classes]``.

    Args:
        name: One of `MEMBERS`, such as ``resnet50``. It may carry options, as in ``resnet20:act=gelu,norm=none``. Or it
            is the path of a ``.toml`` file that ``dnnlab nas`` wrote; then ``num_classes`` and ``input_size`` must be
            given.
        num_classes: Without it, as many as the published network has.
        in_chans: Channels of the images: 3 for colours, as without it, 1 for grey. Tokens have none.
        input_size: Pixels along one side, or tokens in a sequence. Without it, those of the published network. With 64
            or less, a network that was published for larger images takes the stem for small ones, if its family has
            that, unless ``stem`` says otherwise. Networks with position embeddings need it. It changes nothing else.
        options: What the family of the network lets you change, such as ``act``, ``norm``, ``width``, ``dropout``,
            ``skip`` and ``stem``. ``dnnlab compare-arch --list`` has them all.

    Raises:
        UsageError: Nobody knows the name, the family has no such option or value, a number is not positive, or
            ``in_chans`` is given for a network of tokens.

    The ResNet of 20 layers for CIFAR-10 has 0.27 million parameters (He 2016, table 6):

    >>> import torch
    >>> from dnnlab.networks import create_model
    >>> model = create_model("resnet20", act="gelu")
    >>> model(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    >>> f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} million"
    '0.27 million'
    """
    ...
