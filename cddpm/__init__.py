"""The conditioned diffusion model (cDDPM)."""
