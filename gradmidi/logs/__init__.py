"""Runs that were logged by something else, from TensorBoard to plain tables, as recordings."""
