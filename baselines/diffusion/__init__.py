"""Diffusion models, their U-Net, noise fields and noise schedule."""
