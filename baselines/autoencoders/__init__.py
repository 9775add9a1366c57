"""Auto-encoders: methods that reconstruct slices through a bottleneck."""
