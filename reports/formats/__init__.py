"""A document as Markdown, HTML, LaTeX, CSV or text."""
