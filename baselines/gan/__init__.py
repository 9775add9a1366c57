"""f-AnoGAN and the adversarial training that it needs."""
