"""Steps from an anomaly map to a prediction, pipelines of them, and the filters that they stand on."""
