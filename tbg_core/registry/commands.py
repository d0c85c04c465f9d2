"""The commands that plugins add: each has a place in one tree of words, and one provider."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from tbg_core.errors import PluginError
from tbg_core.registry.hooks import CommandSpec

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from tbg_core.registry.loader import PluginRecord

_WORDS: Final = re.compile(r"^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$")
_TARGET: Final = re.compile(r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")


def as_command(item: Any) -> CommandSpec:
    """What a plugin gave, as a :class:`CommandSpec` of valid form.

    Raises:
        PluginError: Saying what is wrong with it.
    """
    try:
        command = item if isinstance(item, CommandSpec) else CommandSpec(*item)
        fits = bool(_WORDS.match(command.name)) and bool(not command.target or _TARGET.match(command.target))
    except TypeError:
        raise PluginError(f"tbg_commands gave {item!r}, not a CommandSpec or (name, target, summary).") from None
    if not fits:
        raise PluginError(
            f"command {command.name!r} with target {command.target!r}: a name is words of lower case letters, "
            "digits and hyphens, a target is 'module:app'."
        )
    return command


def arrange(
    given: Iterable[tuple[PluginRecord, CommandSpec]], reserved: Container[str]
) -> Iterator[tuple[PluginRecord, CommandSpec | str]]:
    """Keeps the commands that have a place, in order of arrival.

    A command can be no group of others (``bench`` and ``bench energy``, both with a target), and what belongs to
    ``tbg`` itself is not replaced. Descriptions of groups (an empty target) never clash: the first one counts.

    Args:
        given: Commands with the plugins that give them.
        reserved: First words that are not for plugins.

    Yields:
        Each plugin with its command, or with a text that says why it is refused.
    """
    owners: dict[str, PluginRecord] = {}
    groups: dict[str, PluginRecord] = {}
    described: set[str] = set()
    for record, command in given:
        name = command.name
        above = [name[: match.start()] for match in re.finditer(" ", name)]
        if name.split(" ")[0] in reserved:
            yield record, f"command {name!r} is refused: `tbg {name.split(' ')[0]}` belongs to tbg itself."
            continue
        taken = next((owners[word] for word in (name, *above) if word in owners), None)
        if taken is None and command.target:
            taken = groups.get(name)
        if taken is not None:
            yield record, f"command {name!r} is refused: it clashes with a command of {taken.title}."
            continue
        for word in above if command.target else (*above, name):
            groups.setdefault(word, record)
        if command.target:
            owners[name] = record
        elif name in described:
            continue
        else:
            described.add(name)
        yield record, command
