"""An ensemble with randomised priors (Osband et al., 2018): each member is a voice, and how they disagree is heard.

Every member is the sum of a network that learns and one that stays as it was initialised. The idea to try it with sound
comes from another post of Christian S. Perone's, on the uncertainty that such ensembles show.

python examples/ensemble.py          # leaves ensemble.csv and ensemble.mid
"""

import torch
from torch import nn

import gradmidi

torch.manual_seed(0)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(1, 24), nn.Tanh(), nn.Linear(24, 1))


class Member(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.learns, self.prior = network(), network().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.learns(x) + self.prior(x)
        return total


members = nn.ModuleDict({f"member {i + 1}": Member() for i in range(6)})
optimizer = torch.optim.Adam((p for p in members.parameters() if p.requires_grad), lr=1e-2)
x = torch.cat([torch.rand(40, 1) - 1.5, torch.rand(40, 1) + 0.5])
y = (3 * x).sin()

# A glob that fits a whole member makes one voice of it.
with gradmidi.listen(members, optimizer, path="ensemble.csv", layers=["member ?"]) as session:
    for _ in range(150):
        loss = sum((member(x) - y).square().mean() for member in members.values())
        session.loss(loss).backward()
        optimizer.step()
        optimizer.zero_grad()

gradmidi.compose(session.recording, style="chord", mapping="adaptive", scale="E minor").save_midi("ensemble.mid")
