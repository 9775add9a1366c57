"""Methods that reconstruct a slice through a bottleneck."""
