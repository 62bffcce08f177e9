"""The MNIST run of the 2019 post: its network, its digits and its five settings. May import torch."""
