"""Runs that were logged by something else, TensorBoard, Weights & Biases or plain tables, as recordings."""
