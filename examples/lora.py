"""Fine-tuning with LoRA: the adapter's two matrices of a module are one voice, under the name of the module.

pip install peft transformers
python examples/lora.py              # leaves lora.csv and lora.mid
"""

import torch
from peft import LoraConfig, get_peft_model
from transformers import GPT2Config, GPT2LMHeadModel

import gradmidi

torch.manual_seed(0)
# A tiny model with random weights, so that nothing is downloaded; from_pretrained("gpt2") works the same way.
base = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=32, n_layer=3, n_head=2))
model = get_peft_model(base, LoraConfig(r=4, target_modules=["c_attn", "c_proj"], fan_in_fan_out=True))
optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=3e-3)
text = torch.randint(64, (16, 32))

with gradmidi.listen(model, optimizer, path="lora.csv") as session:
    for _ in range(60):
        session.loss(model(text, labels=text).loss).backward()
        optimizer.step()
        optimizer.zero_grad()

print(*session.layers, sep="\n")
gradmidi.compose(session.recording, style="chord", scale="D dorian").save_midi("lora.mid")
