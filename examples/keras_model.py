"""Keras 3 on torch: one callback.

pip install keras && KERAS_BACKEND=torch python examples/keras_model.py
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

from gradmidi.integrations.keras import GradmidiCallback

model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(1)])
model.compile("adam", "mse")
x = np.random.default_rng(0).normal(size=(3200, 8)).astype("float32")
model.fit(x, x.sum(axis=1, keepdims=True), epochs=2, verbose=0, callbacks=[GradmidiCallback("keras.csv")])
