"""Energies per second: the engine beside OpenMM's platforms, one conformation at a time, in one run."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import openmm
import torch

from tbg_openmm.config import OpenMMConfig, PeptideConfig
from tbg_openmm.engine import Engine, building, compile_system
from tbg_openmm.evaluation import LocalEvaluator
from tbg_openmm.forcefield import create_system, load_forcefield
from tbg_openmm.peptide import PeptideSource
from tbg_openmm.platforms import PlatformChoice, choose_platform
from tbg_openmm.presets import preset_for

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tbg_core.molecule import Molecule
    from tbg_core.pipeline.progress import Bar
    from tbg_openmm.engine import ForceFieldParameters
    from tbg_openmm.engine.engine import Backend

MOLECULES: Final = ("AA", "KE", "WW", "AAA", "GYDPETGTWG", "ACE-ALA-NME")
_DTYPES: Final = {"single": torch.float32, "double": torch.float64}
_LOOP: Final = 16  # conformations that OpenMM's loop takes per timing
_CHECKED: Final = 8


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes:
        molecules: Sequences or residue codes.
        batches: Conformations per call of the engine.
        rounds: Each method is timed once per round, so that a change of the machine's speed meets all of them.
        seconds: Shortest time of one timing.
        threads: Threads of the engine; OpenMM always has one.
        backends: Of the engine.
        precisions: Of the engine.
        cpu_time: Count this process's time on the CPU, not the clock's: for a machine that others use.
    """

    molecules: tuple[str, ...] = MOLECULES
    batches: tuple[int, ...] = (1, 16, 128, 1024)
    rounds: int = 5
    seconds: float = 0.2
    threads: int = 1
    backends: tuple[Backend, ...] = ("native", "torch")
    precisions: tuple[str, ...] = ("single", "double")
    cpu_time: bool = False


@dataclass
class Speed:
    """One method on one molecule.

    Attributes:
        method: ``engine native single``, ``OpenMM CPU``, ...
        batch: Conformations per call.
        forces: Whether forces too.
        rates: Conformations per second in each round.
    """

    method: str
    batch: int
    forces: bool
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Median over the rounds."""
        return float(np.median(self.rates))


@dataclass
class Result:
    """One molecule.

    Attributes:
        molecule: Its name.
        atoms: Number of atoms.
        preset: Force field.
        speeds: All methods.
        best: Forces or not -> the engine's best method, OpenMM's best, and the ratio of each round.
        reading_s: Seconds to read the System.
        error: Method -> largest difference from the Reference platform, kJ/mol, and kJ/mol/nm of forces.
    """

    molecule: str
    atoms: int
    preset: str
    speeds: list[Speed]
    best: dict[str, dict[str, Any]]
    reading_s: float
    error: dict[str, tuple[float, float]]


def measure(plan: Plan, bar: Bar) -> dict[str, Any]:
    """Measures everything in the plan; the result is plain data, for JSON.

    Args:
        plan: What to measure.
        bar: Progress, one step per molecule and round.
    """
    results = [_measure_molecule(text, plan, bar) for text in plan.molecules]
    return {
        "plan": asdict(plan),
        "compile_s": compile_seconds(cpu_time=plan.cpu_time),
        "openmm": openmm.Platform.getOpenMMVersion(),
        "torch": torch.__version__,
        "molecules": [asdict(result) | {"speeds": [_speed(s) for s in result.speeds]} for result in results],
        "growth": _growth(results),
    }


def compile_seconds(*, cpu_time: bool) -> float | None:
    """Seconds to compile the native kernel, which happens once on a machine; None without a compiler."""
    source = Path(building.__file__).parent / "native" / "kernel.cpp"
    with tempfile.TemporaryDirectory() as folder:
        begin, before = time.perf_counter(), os.times()
        try:
            building.compile_kernel(building.find_compiler(), source, Path(folder) / "engine.so")
        except building.Unavailable:
            return None
        after = os.times()
        children = after.children_user + after.children_system - before.children_user - before.children_system
        return children if cpu_time else time.perf_counter() - begin


def _speed(speed: Speed) -> dict[str, Any]:
    return {**asdict(speed), "rate": speed.rate}


def _measure_molecule(text: str, plan: Plan, bar: Bar) -> Result:
    molecule = PeptideSource(PeptideConfig(sequence=text)).build()
    preset = preset_for(molecule.residue_names)
    system = create_system(molecule, load_forcefield(preset.forcefield), preset.nonbonded_method, preset.cutoff_nm)
    begin = time.perf_counter()
    parameters = compile_system(system)
    reading_s = time.perf_counter() - begin
    x = conformations(molecule, parameters, max(*plan.batches, _LOOP, _CHECKED))
    engines = {
        f"engine {backend} {precision}": Engine(parameters, _DTYPES[precision], backend=backend, threads=plan.threads)
        for backend in plan.backends
        for precision in plan.precisions
    }
    loops = {f"OpenMM {choice.name}": LocalEvaluator(system, choice) for choice in _platforms(system)}
    work: list[tuple[Speed, Callable[[], object]]] = []
    for forces in (False, True):
        for name, engine in engines.items():
            for batch in plan.batches:
                rows = x[:batch].to(engine.dtype)
                evaluate = engine.energy_and_forces if forces else engine.energy
                work.append((Speed(name, batch, forces), _bind(evaluate, rows)))
        for name, loop in loops.items():
            rows_64 = x[:_LOOP].double().numpy()
            work.append((Speed(name, _LOOP, forces), _bind(loop.evaluate, rows_64, forces=forces)))
    for _ in range(plan.rounds):
        for speed, call in work:
            speed.rates.append(speed.batch * _calls_per_second(call, plan))
        bar.advance(1, note=text)
    speeds = [speed for speed, _ in work]
    return Result(
        molecule=text,
        atoms=molecule.n_atoms,
        preset=preset.name,
        speeds=speeds,
        best={"energy": _best(speeds, forces=False), "energy and forces": _best(speeds, forces=True)},
        reading_s=reading_s,
        error=_errors(system, engines, x[:_CHECKED]),
    )


def conformations(molecule: Molecule, parameters: ForceFieldParameters, n: int) -> torch.Tensor:
    """Frames of short dynamics at 310 K from the reference conformation [n, N, 3], single precision."""
    engine = Engine(parameters)
    x = torch.from_numpy(molecule.reference).expand(n, -1, -1).float()
    keys = (0, torch.arange(n))
    x, _, _ = engine.langevin(x, torch.zeros_like(x), torch.full((n,), 310.0), 200, 0.001, 10.0, keys)
    return x - x.mean(dim=1, keepdim=True)


def _platforms(system: openmm.System) -> list[PlatformChoice]:
    """Every platform that works here."""
    names = [openmm.Platform.getPlatform(i).getName() for i in range(openmm.Platform.getNumPlatforms())]
    found = []
    for name in names:
        try:
            found.append(choose_platform(system, name, OpenMMConfig().precision))
        except Exception:  # noqa: BLE001, S112 - a platform that does not work here is none
            continue
    return found


def _bind(call: Callable[..., object], *arguments: Any, **options: Any) -> Callable[[], object]:
    return lambda: call(*arguments, **options)


def _calls_per_second(call: Callable[[], object], plan: Plan) -> float:
    clock = time.process_time if plan.cpu_time else time.perf_counter
    call()
    calls, begin = 0, clock()
    while True:
        call()
        calls += 1
        passed = clock() - begin
        if passed >= plan.seconds:
            return calls / passed


def _best(speeds: Sequence[Speed], *, forces: bool) -> dict[str, Any]:
    """The fastest of each side, and the ratio of their rates, round by round."""
    sides = {}
    for side in ("engine", "OpenMM"):
        candidates = [s for s in speeds if s.forces == forces and s.method.startswith(side)]
        sides[side] = max(candidates, key=lambda s: s.rate)
    ratios = [a / b for a, b in zip(sides["engine"].rates, sides["OpenMM"].rates, strict=True)]
    return {
        **{side: {"method": s.method, "batch": s.batch, "rate": s.rate} for side, s in sides.items()},
        "ratio": float(np.median(ratios)),
        "ratio_lowest": min(ratios),
        "ratio_highest": max(ratios),
    }


def _errors(system: openmm.System, engines: dict[str, Engine], x: torch.Tensor) -> dict[str, tuple[float, float]]:
    reference = PlatformChoice("Reference", {})
    energies, forces = LocalEvaluator(system, reference).evaluate(x.double().numpy(), forces=True)
    errors = {}
    for name, engine in engines.items():
        u, f = engine.energy_and_forces(x)
        errors[name] = (float(np.abs(u.numpy() - energies).max()), float(np.abs(f.numpy() - forces).max()))
    return errors


def _growth(results: Sequence[Result]) -> dict[str, float]:
    """Exponents a of time per energy and forces ~ atoms^a, best methods, by least squares; empty for one size."""
    zwitterions = [result for result in results if result.preset == results[0].preset]
    atoms = np.log([result.atoms for result in zwitterions])
    if len(set(atoms)) < 2:
        return {}
    exponents = {}
    for side in ("engine", "OpenMM"):
        times = -np.log([result.best["energy and forces"][side]["rate"] for result in zwitterions])
        exponents[side] = float(np.polyfit(atoms, times, 1)[0])
    return exponents
