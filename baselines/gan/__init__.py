"""F-AnoGAN and the adversarial training it stands on."""
