"""Simulated data: phantoms, and lesions implanted in real scans."""
