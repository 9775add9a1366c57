"""What a report is made of, whatever it is written as: text, tables and blocks."""
