"""Built-in methods: the published ones that others are compared with, and simple baselines that all should beat."""
