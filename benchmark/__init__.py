"""What is measured, and how: studies, inference, scoring and statistics."""

__version__ = "0.1.0"
