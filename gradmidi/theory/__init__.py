"""Music theory on numpy arrays: pitch, scales, tuning files. Knows no torch and no devices."""
