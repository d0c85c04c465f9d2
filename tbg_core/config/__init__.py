"""Configuration: a file, then dotted overrides, then flags; all of it is checked, none of it executed."""
