"""Runs that were logged by other tools, from TensorBoard to plain tables, as recordings."""
