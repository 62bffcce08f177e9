"""PPO on a small task of its own: actor and critic are heard apart, and the entropy goes along as a metric.

python examples/ppo.py               # leaves ppo.csv and ppo.mid
"""

import torch
from torch import nn
from torch.distributions import Categorical

import gradmidi

torch.manual_seed(0)
net = nn.ModuleDict(
    {
        "actor": nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 3)),
        "critic": nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1)),
    }
)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)


def rollout(steps: int = 64) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A point on a line is pushed left, not at all, or right; the reward is highest at the origin."""
    place = torch.rand(16) * 2 - 1
    seen, taken, rewards = list[torch.Tensor](), list[torch.Tensor](), list[torch.Tensor]()
    for _ in range(steps):
        seen.append(torch.stack([place, place.abs()], 1))
        taken.append(Categorical(logits=net["actor"](seen[-1])).sample())
        place = (place + 0.1 * (taken[-1] - 1)).clamp(-1, 1)
        rewards.append(-place.square())
    returns = torch.stack(rewards).flip(0).cumsum(0).flip(0) / steps
    return torch.cat(seen), torch.cat(taken), returns.flatten()


with gradmidi.listen(net, optimizer, path="ppo.csv", metrics=["epoch", "loss", "entropy"]) as session:
    for epoch in range(20):
        with torch.no_grad():
            states, actions, returns = rollout()
            before = Categorical(logits=net["actor"](states)).log_prob(actions)
            advantage = returns - net["critic"](states).squeeze(1)
        for _ in range(4):
            policy = Categorical(logits=net["actor"](states))
            ratio = (policy.log_prob(actions) - before).exp()
            surrogate = torch.min(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage).mean()
            value = (net["critic"](states).squeeze(1) - returns).square().mean()
            session.log(epoch=epoch, entropy=policy.entropy().mean())
            session.loss(value - surrogate - 0.01 * policy.entropy().mean()).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.5)
            optimizer.step()
            optimizer.zero_grad()

gradmidi.compose(session.recording, scale="C minor pentatonic").save_midi("ppo.mid")
