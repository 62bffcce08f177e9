"""Two optimizers: a row a round, in which each network's layers are measured at its own step.

python examples/gan.py               # leaves gan.csv and gan.mid
"""

import torch
from torch import nn

import gradmidi

torch.manual_seed(0)
nets = nn.ModuleDict(
    {
        "generator": nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2)),
        "critic": nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1)),
    }
)
optimizers = {name: torch.optim.Adam(net.parameters(), lr=1e-3) for name, net in nets.items()}
judge = nn.BCEWithLogitsLoss()
true, false = torch.ones(64, 1), torch.zeros(64, 1)

with gradmidi.listen(nets, list(optimizers.values()), path="gan.csv", metrics=["critic_loss", "loss"]) as session:
    for _ in range(200):
        angle = torch.rand(64, 1) * 6.28
        real, fake = torch.cat([angle.cos(), angle.sin()], 1), nets["generator"](torch.randn(64, 4))
        loss = judge(nets["critic"](real), true) + judge(nets["critic"](fake.detach()), false)
        session.log(critic_loss=loss)
        loss.backward()
        optimizers["critic"].step()
        nets.zero_grad()
        session.loss(judge(nets["critic"](fake), true)).backward()
        optimizers["generator"].step()
        nets.zero_grad()

gradmidi.compose(session.recording).save_midi("gan.mid")
