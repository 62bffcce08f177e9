"""Two runs as one piece: matched by step and layer, then played left and right or in turns."""
