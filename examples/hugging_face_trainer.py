"""The Hugging Face Trainer: one callback.

pip install transformers accelerate && python examples/hugging_face_trainer.py
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

from gradmidi.integrations.transformers import GradmidiCallback

model = GPT2LMHeadModel(GPT2Config(vocab_size=64, n_positions=32, n_embd=64, n_layer=4, n_head=4))
counting = [{"input_ids": row, "labels": row} for row in (torch.arange(16) + torch.randint(48, (640, 1)))]
arguments = TrainingArguments("trainer-out", max_steps=100, logging_steps=1, report_to=[], save_strategy="no")
Trainer(model, arguments, train_dataset=counting, callbacks=[GradmidiCallback("trainer.csv")]).train()
