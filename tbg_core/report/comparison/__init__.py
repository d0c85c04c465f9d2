"""Two or more runs of one system side by side."""
