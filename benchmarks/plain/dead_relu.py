"""What ``dnnlab dead-relu --lr 1 --init xavier --remedies --seeds 5`` answers, in a loop over networks.

python -m benchmarks.plain.dead_relu [PART PARTS]

Ten remedies and none, five seeds, five hidden layers of 64 units, 500 steps; dead units of 1024 inputs are counted
eleven times. PART of PARTS takes its share of the trainings, so that several processes can do them.
"""

import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

WIDTH, DEPTH, BATCH, STEPS, SEEDS = 64, 5, 128, 500, 5
REMEDIES: dict[str, dict] = {
    "none": {}, "leaky relu": {"act": nn.LeakyReLU}, "prelu": {"act": nn.PReLU}, "lower lr": {"lr": 0.1},
    "he init": {"init": nn.init.kaiming_normal_}, "clipping": {"clip": 1.0}, "elu": {"act": nn.ELU},
    "gelu": {"act": nn.GELU}, "other init": {"init": nn.init.orthogonal_}, "batch norm": {"norm": True},
    "residual": {"skip": True},
}  # fmt: skip


class Layer(nn.Module):
    def __init__(self, inputs, act=nn.ReLU, init=nn.init.xavier_normal_, norm=False, skip=False):
        super().__init__()
        self.linear, self.act, self.skip = nn.Linear(inputs, WIDTH), act(), skip and inputs == WIDTH
        self.norm = nn.BatchNorm1d(WIDTH) if norm else nn.Identity()
        init(self.linear.weight)

    def forward(self, x):
        h = self.act(self.norm(self.linear(x)))
        return x + h if self.skip else h


def train(x, y, seed, lr=1.0, clip=0.0, **options):
    """Shares of dead units at the steps 0, 50, … 500, and the accuracy on the training data."""
    torch.manual_seed(seed)
    layers = [Layer(x.shape[1] if i == 0 else WIDTH, **options) for i in range(DEPTH)]
    model = nn.Sequential(*layers, nn.Linear(WIDTH, 10))
    optimiser = torch.optim.SGD(model.parameters(), lr=lr)
    dead = []
    for step in range(STEPS + 1):
        if step % (STEPS // 10) == 0:
            with torch.no_grad():
                h, counts = x[:1024], []
                for layer in layers:
                    h = layer(h)
                    counts.append((h == 0).all(0).double().mean())
            dead.append(float(torch.stack(counts).mean()))
        batch = torch.randint(len(x), (BATCH,))
        optimiser.zero_grad()
        F.cross_entropy(model(x[batch]), y[batch]).backward()
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimiser.step()
    return dead, float((model(x).argmax(1) == y).double().mean())


if __name__ == "__main__":
    part, parts = map(int, sys.argv[1:] or (0, 1))
    if parts > 1:
        torch.set_num_threads(1)
    digits = load_digits()
    x = torch.tensor(digits.data, dtype=torch.float32)
    x, y = (x - x.mean(0)) / x.std(0).clamp_min(1e-6), torch.tensor(digits.target)
    trainings = [(name, seed) for name in REMEDIES for seed in range(SEEDS)]
    for name, seed in trainings[part::parts]:
        dead, accuracy = train(x, y, seed, **REMEDIES[name])
        print(f"{name}, seed {seed}: {dead[-1]:.3f} dead, accuracy {accuracy:.3f}")
