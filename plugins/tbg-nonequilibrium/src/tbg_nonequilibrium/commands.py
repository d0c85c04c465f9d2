"""``tbg thermo``."""


from tbg_core.cli.application import make_app

app = make_app()
