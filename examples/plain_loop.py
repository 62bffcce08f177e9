"""Any PyTorch loop, two lines: gradmidi.listen around it, session.loss around the loss.

python examples/plain_loop.py        # leaves plain_loop.csv and plain_loop.mid
"""

import torch
from torch import nn

import gradmidi

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)

with gradmidi.listen(model, optimizer, path="plain_loop.csv") as session:  # live="gradmidi" to hear it while it runs
    for _ in range(200):
        x = torch.randn(32, 8)
        loss = session.loss((model(x) - x.sum(1, keepdim=True).sin()).square().mean())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

gradmidi.compose(session.recording, scale="D dorian").save_midi("plain_loop.mid")
