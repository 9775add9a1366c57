"""What is wrong with data, told before anything is computed: splits, files, geometry, masks, duplicates, drift."""
