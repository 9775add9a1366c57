"""The rules a method is held to, and the trial that holds it to them."""
