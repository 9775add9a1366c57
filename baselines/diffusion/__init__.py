"""U-Net, noise process and noise fields shared by the diffusion methods."""
