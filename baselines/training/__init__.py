"""Training of slice-wise methods: `fit.train_on_slices` and what it is made of; knows no single method."""
