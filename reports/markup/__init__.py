"""Tables and text in Markdown."""
