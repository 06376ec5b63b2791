"""The questions of dead-relu."""

from dnnlab.runner.experiment import Question

CENSUS = Question(
    "dnnlab.dead_relu.census", leaves=frozenset({"nets"}), because="which is about units; --born draws networks"
)
REMEDIES = Question(
    "dnnlab.dead_relu.remedies",
    "--remedies",
    like=CENSUS.package,
    leaves=frozenset({"nets", "arch", "model", "weights", "prune_dead"}),
    because="which is about fully connected networks",
)
BORN = Question(
    "dnnlab.dead_relu.born",
    "--born",
    takes=frozenset({"depth", "width", "init", "act", "seed", "device", "born", "nets"}),
    because="which draws plain networks of one input",
)
QUESTIONS = (CENSUS, REMEDIES, BORN)
