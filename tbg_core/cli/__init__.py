"""The command ``tbg``: one file per verb, imported when it is used."""
