"""Blind listening trials for people: clips of runs whose truth is known, answers, and what they amount to."""
