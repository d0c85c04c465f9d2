"""The command ``tbg``: knows the verbs by name and imports the one that is used."""

from __future__ import annotations

import os
import sys
import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Union, cast

import typer
from typer.core import TyperCommand, TyperGroup

from tbg_core.cli.failures import report_failure, report_interrupt, show_warning

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PIPELINE = "The main job, and its stages"
LOOK = "What there is, and whether it works"
PLUGINS = "From plugins"

NO_PLUGINS: Final = "--no-plugins"


class Verb(NamedTuple):
    """A command, described without importing it."""

    target: str
    summary: str
    panel: str


Entry = Union[Verb, "Mapping[str, Any]"]
"""A command, or the table of a group."""

VERBS: Final[dict[str, Verb]] = {
    "run": Verb("tbg_core.cli.run:app", "From nothing to a reweighted ensemble and its report.", PIPELINE),
    "simulate": Verb("tbg_core.cli.simulate:app", "Make training data by molecular dynamics.", PIPELINE),
    "train": Verb("tbg_core.cli.train:app", "Train a model on simulations.", PIPELINE),
    "sample": Verb("tbg_core.cli.sample:app", "Draw samples from a trained model, and weight them.", PIPELINE),
    "reweight": Verb("tbg_core.cli.reweight:app", "Weight the samples of a run for another energy.", PIPELINE),
    "report": Verb("tbg_core.cli.report:app", "Write the report of a run again.", PIPELINE),
    "datasets": Verb("tbg_core.cli.datasets:app", "Make, list, show and pack datasets of many systems.", PIPELINE),
    "estimate": Verb("tbg_core.cli.estimate:app", "Averages and free energies of a run, with intervals.", PIPELINE),
    "observables": Verb("tbg_core.cli.observables:app", "List what can be estimated of a system.", LOOK),
    "components": Verb("tbg_core.cli.components:app", "List the components, show the options of one.", LOOK),
    "plugins": Verb("tbg_core.cli.plugins:app", "List the plugins, check them, make a new one.", LOOK),
    "config": Verb("tbg_core.cli.config:app", "Complete a config file; list recipes; print the schema.", LOOK),
    "cite": Verb("tbg_core.cli.cite:app", "Print the papers to cite for a run.", LOOK),
    "doctor": Verb("tbg_core.cli.doctor:app", "Check the installation.", LOOK),
}

EPILOG: Final = """[b]Examples[/b]

  tbg run                                  alanine dipeptide, its model ships

  tbg run --model egnn --energy openmm --system ACE-ALA-NME --out runs/ala

  tbg run --system ACE-NME --from-scratch  simulate, train, then sample

  tbg components list --kind integrator    what can be named

Any verb explains itself: [b]tbg run --help[/b]. Set TBG_DEBUG=1 to see where an error comes from."""


class LazyGroup(TyperGroup):
    """Lists commands from a table and imports the one that is used.

    Attributes:
        table: Word -> a command, or a deeper table for a group.
    """

    table: Mapping[str, Entry]
    _listing = False

    def entry(self, word: str) -> Entry | None:
        """What the table says of a word."""
        return self.table.get(word)

    def list_commands(self, ctx: Any) -> list[str]:
        """The words of the table, in its order."""
        return [word for word in self.table if word]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or in a listing only its name and summary."""
        entry = self.entry(cmd_name)
        if entry is None:
            return None
        if not isinstance(entry, Verb):
            return _plugin_group(cmd_name, entry)
        if self._listing:
            return TyperCommand(cmd_name, help=entry.summary, rich_help_panel=entry.panel, rich_markup_mode="rich")
        command = _load(entry.target)
        command.name = cmd_name
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the arguments begin with; to a word that is none, the close ones are shown."""
        if args and self.entry(args[0]) is None:
            # Typer suggests among these names; commands themselves are never looked up here.
            self.commands = cast("Any", dict.fromkeys(self.list_commands(ctx)))
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Writes the help without importing the commands."""
        self._listing = True
        try:
            super().format_help(ctx, formatter)
        finally:
            self._listing = False

    def invoke(self, ctx: Any) -> Any:
        """Runs a verb; an interrupt is reported by :func:`main`, not by typer."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise Interrupted from None


class RootGroup(LazyGroup):
    """``tbg`` itself: our verbs in the order of work, then what plugins add."""

    @property
    def table(self) -> Mapping[str, Entry]:  # type: ignore[override]
        """Made when the help is asked for."""
        return {**VERBS, **_tree()}

    def entry(self, word: str) -> Entry | None:
        """One of our verbs without looking for plugins, or else what they say."""
        return VERBS.get(word) or _tree().get(word)


def _tree() -> dict[str, Entry]:
    """Commands of plugins by their words; the entry ``""`` of a group describes it."""
    from tbg_core.registry import get_registry

    root: dict[str, Any] = {}
    for command in get_registry().commands(reserved=VERBS):
        *groups, last = command.name.split(" ") if command.target else (*command.name.split(" "), "")
        place = root
        for word in groups:
            place = place.setdefault(word, {})
        place[last] = Verb(command.target, command.summary, PLUGINS)
    return root


def _plugin_group(name: str, table: Mapping[str, Entry]) -> LazyGroup:
    """The group of the commands of plugins that begin with one word."""
    described = table.get("")
    words = ", ".join(word for word in table if word)
    summary = described.summary if isinstance(described, Verb) else f"From plugins: {words}."
    group = LazyGroup(
        name=name,
        help=summary,
        no_args_is_help=True,
        rich_markup_mode="rich",
        rich_help_panel=PLUGINS,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    group.table = table
    return group


class Interrupted(Exception):  # noqa: N818 - not an error
    """The user pressed Ctrl-C."""


def _load(target: str) -> Any:
    """The command of ``"module:app"``, a Typer application or a function."""
    from tbg_core.registry.registry import Registry

    if target.startswith("tbg_core."):
        module, _, attribute = target.partition(":")
        found = getattr(import_module(module), attribute)
    else:
        found = Registry.load(target, f"the command {target}")
    if not isinstance(found, typer.Typer):
        application = typer.Typer(add_completion=False)
        application.command()(found)
        found = application
    return typer.main.get_command(found)


def _version(value: bool) -> None:
    if value:
        from tbg_core import __version__

        typer.echo(f"tbg {__version__}")
        raise typer.Exit


def _application() -> typer.Typer:
    app = typer.Typer(
        name="tbg",
        cls=RootGroup,
        no_args_is_help=True,
        add_completion=True,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        epilog=EPILOG,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def tbg(
        version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
        no_plugins: bool = typer.Option(False, NO_PLUGINS, help="Use the core alone; works with every verb."),
    ) -> None:
        """Sample molecules at equilibrium.

        A generative model proposes conformations with a density that is known
        exactly, and an energy weights them. Every part is a plugin.
        """

    return app


def main(argv: Sequence[str] | None = None) -> None:
    """Runs ``tbg`` and exits: 0 done, 1 a check failed, 2 an error of input, 130 interrupted."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    warnings.showwarning = show_warning
    if _take_no_plugins(arguments):
        # In the environment, so that worker processes skip them too.
        os.environ["TBG_DISABLE_PLUGINS"] = "*"
    try:
        command = typer.main.get_command(_application())
        code = command.main(arguments, prog_name="tbg", standalone_mode=False)
    except (KeyboardInterrupt, Interrupted, typer.Abort):
        sys.exit(report_interrupt(arguments))
    except BrokenPipeError:
        # The reader (head, less) has gone; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last resort, so that no user sees a bare traceback
        sys.exit(report_failure(error, arguments))
    sys.exit(code if isinstance(code, int) else 0)


def _take_no_plugins(arguments: list[str]) -> bool:
    """Removes ``--no-plugins`` from anywhere before ``--``: it must act before any verb is looked up."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    if NO_PLUGINS not in arguments[:end]:
        return False
    arguments[:end] = [a for a in arguments[:end] if a != NO_PLUGINS]
    return True


if __name__ == "__main__":
    main()
