"""Networks that turn slices and volumes into features, and the pre-training of one."""
