"""Music theory on numpy arrays: pitch, scales, tuning files. Uses neither torch nor devices."""
