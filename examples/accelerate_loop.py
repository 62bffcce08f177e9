"""Accelerate: listen after prepare.

pip install accelerate && python examples/accelerate_loop.py
"""

import torch
from accelerate import Accelerator
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from gradmidi.integrations.accelerate import listen

accelerator = Accelerator(gradient_accumulation_steps=4)
net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
data = DataLoader(TensorDataset(torch.randn(3200, 8)), batch_size=8)
model, optimizer, loader = accelerator.prepare(net, torch.optim.AdamW(net.parameters()), data)

with listen(accelerator, model, optimizer, path="accelerate.csv") as session:
    for (x,) in loader:
        with accelerator.accumulate(model):
            accelerator.backward(session.loss((model(x) - x.sum(1, keepdim=True)).square().mean()))
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
