"""Figures by matplotlib, one file a kind."""
