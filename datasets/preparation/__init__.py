"""From a download to the prepared layout: orient, find the brain, register, resample, correct the bias field, crop."""
