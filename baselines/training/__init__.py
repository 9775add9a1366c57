"""How a SliceReconstruction is trained: `fit.train_on_slices` and what it is made of; knows nothing of methods."""
