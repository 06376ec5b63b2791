"""The questions of nas."""

from dnnlab.runner.experiment import Question

SEARCH = Question("dnnlab.nas.search", autocasts=True)
OBJECTIVES = Question("dnnlab.nas.objectives", "--objectives", like=SEARCH.package, autocasts=True)
TABLE = Question(
    "dnnlab.nas.tables",
    "--table",
    like=SEARCH.package,
    takes=frozenset({"strategy", "space", "table", "budget", "fidelity", "seeds", "seed", "device"}),
    because="where nothing is trained",
)
PROXIES = Question(
    "dnnlab.nas.proxies",
    "--proxies",
    takes=frozenset(
        {"proxies", "space", "budget", "data", "seeds", "seed", "device", "epochs", "batch_size", "optimizer", "lr"}
        | {"weight_decay", "augment", "train_size"}
    ),
    because="which draws architectures at random and trains them",
    autocasts=True,
)
QUESTIONS = (SEARCH, OBJECTIVES, TABLE, PROXIES)
