"""One component for reading: what it is, its slots, and its options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tbg_core.config.recipes import shipped_recipes
from tbg_core.config.units import unit_of

if TYPE_CHECKING:
    from tbg_core.registry import ComponentSpec, Registry


def print_page(registry: Registry, spec: ComponentSpec) -> None:
    """Prints the page of ``spec``; imports its config, not its code."""
    console = Console(highlight=False)
    provider = registry.provider(spec.kind, spec.name)
    console.print(f"[bold]{spec.name}[/bold], {spec.kind}: {escape(spec.summary)}")
    console.print(f"from {provider.distribution} {provider.version}, {spec.maturity}", style="dim")
    if spec.citation:
        console.print(escape(spec.citation), style="dim")
    if spec.capabilities:
        console.print(f"capabilities: {escape(', '.join(sorted(spec.capabilities)))}")
    if spec.checkpoints:
        console.print(f"shipped checkpoints: {escape(_checkpoints(spec.checkpoints))}")
    if spec.recipes:
        names = ", ".join(path.stem for path in shipped_recipes(spec.recipes)) or "none"
        console.print(f"recipes: {escape(names)} (tbg config recipes NAME)")
    for slot, kind in spec.slots.items():
        names = ", ".join(registry.names(kind)) or "none installed"
        console.print(f"slot [bold]{slot}[/bold] takes: {names}")
    rows = option_rows(registry.config_class(spec.kind, spec.name).model_json_schema())
    if not rows:
        console.print("no options")
        return
    table = Table("option", "type", "default", "unit", "meaning", box=None, header_style="bold")
    for row in rows:
        table.add_row(*(escape(cell) for cell in row))
    console.print(table)
    key = "model" if spec.kind in {"field", "proposal"} else spec.kind
    console.print(f"Set one with: -s {key}.{rows[0][0]}=VALUE", style="dim")


def _checkpoints(package: str) -> str:
    from tbg_core.cli.doctor import shipped_checkpoints

    try:
        return ", ".join(shipped_checkpoints(package)) or "none"
    except (ImportError, OSError) as error:
        return f"cannot be read ({error}); reinstall the plugin"


def option_rows(schema: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Name, type, default, unit and meaning of each option in a component's JSON schema."""
    required = set(schema.get("required", ()))
    rows = []
    for name, field in schema.get("properties", {}).items():
        meaning = " ".join(str(field.get("description", "")).split())
        default = "required" if name in required else _plain(field.get("default"))
        rows.append((name, _type(field), default, unit_of(name, meaning), meaning))
    return rows


def _type(field: dict[str, Any]) -> str:
    if "enum" in field:
        return " | ".join(_plain(v) for v in field["enum"])
    if "const" in field:
        return _plain(field["const"])
    if "anyOf" in field:
        return " | ".join(_type(f) for f in field["anyOf"])
    if "$ref" in field:
        return str(field["$ref"]).rsplit("/", 1)[-1]
    kind = str(field.get("type", "any"))
    if kind == "array":
        return f"list of {_type(field['items'])}" if isinstance(field.get("items"), dict) else "list"
    return f"{kind}{_range(field)}"


def _range(field: dict[str, Any]) -> str:
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    limits = [f"{sign} {_plain(field[key])}" for key, sign in signs.items() if key in field]
    return f" {', '.join(limits)}" if limits else ""


def _plain(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
