"""How far samples are from a reference simulation: the measures of the field, one module each."""
