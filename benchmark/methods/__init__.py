"""What a method is (Detector, Card), how it is named, found, configured, described and held to its contract."""
