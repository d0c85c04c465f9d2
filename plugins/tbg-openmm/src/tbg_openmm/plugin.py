"""What this distribution adds to tbg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tbg_core.registry import DEFAULT, CommandSpec, ComponentSpec, hookimpl

if TYPE_CHECKING:
    from tbg_core.registry.hooks import RunEvent

_CITATION = "Eastman et al., J. Phys. Chem. B 128, 109 (2024)"


@hookimpl
def tbg_components() -> list[ComponentSpec]:
    """Two sources of molecules, an energy and a dynamics."""
    molecules = frozenset({"molecules"})
    return [
        ComponentSpec(
            kind="system",
            name="peptide",
            summary="Peptides built from a sequence (GF) or residue codes with caps (ACE-ALA-NME)",
            target="tbg_openmm.peptide:PeptideSource",
            config="tbg_openmm.config:PeptideConfig",
            capabilities=molecules,
            citation="Tien et al. (PeptideBuilder), PeerJ 1, e80 (2013)",
            conformance=("tbg_openmm.conformance:TestPeptideSource",),
        ),
        ComponentSpec(
            kind="system",
            name="pdb",
            summary="A complete peptide from a PDB file, in the atom order of the file",
            target="tbg_openmm.pdb:PdbSource",
            config="tbg_openmm.config:PdbConfig",
            capabilities=molecules,
            conformance=("tbg_openmm.conformance:TestPdbSource",),
        ),
        ComponentSpec(
            kind="energy",
            name="openmm",
            summary="Classical force fields with implicit solvent (Amber presets) through OpenMM",
            target="tbg_openmm.backend:OpenMMBackend",
            config="tbg_openmm.config:OpenMMConfig",
            capabilities=molecules | {"gradients", DEFAULT},
            citation=_CITATION,
            conformance=("tbg_openmm.conformance:TestOpenMM",),
        ),
        ComponentSpec(
            kind="dynamics",
            name="engine",
            summary="Langevin dynamics with temperature replica exchange, many walkers at a time",
            target="tbg_openmm.engine_dynamics:EngineDynamics",
            config="tbg_openmm.config:EngineDynamicsConfig",
            capabilities=molecules | {DEFAULT, "energy:openmm"},
            citation="Zhang et al., J. Phys. Chem. A 123, 6056 (2019)",
            conformance=("tbg_openmm.conformance:TestEngineDynamics",),
        ),
        ComponentSpec(
            kind="dynamics",
            name="openmm",
            summary="The same by OpenMM's own integrator, one walker after the other",
            target="tbg_openmm.dynamics:OpenMMDynamics",
            config="tbg_openmm.config:OpenMMDynamicsConfig",
            capabilities=molecules | {"energy:openmm"},
            citation=_CITATION,
            conformance=("tbg_openmm.conformance:TestOpenMMDynamics",),
        ),
    ]


@hookimpl
def tbg_commands() -> list[CommandSpec]:
    """Measurements."""
    return [
        CommandSpec("bench", "", "Measure speed and accuracy."),
        CommandSpec("bench energy", "tbg_openmm.bench:app", "Energies per second, beside OpenMM's platforms."),
        CommandSpec("bench sampling", "tbg_openmm.sampling_bench:app", "Effective samples per second of every method."),
        CommandSpec("bench timestep", "tbg_openmm.timestep:app", "Measure the bias of the time step of the dynamics."),
    ]


@hookimpl
def tbg_run_finished(run: RunEvent) -> None:
    """Writes samples.xtc and proposal.xtc into the folder of a run that made an ensemble of a molecule."""
    from tbg_openmm.trajectory import write_run_trajectories

    write_run_trajectories(run.folder)


@hookimpl
def tbg_run_started(run: RunEvent) -> None:
    """Notes which OpenMM computes the energies of a run, and warns if a resumed one goes on with another."""
    chosen = (run.config.energy, run.config.dynamics)
    if any(reference and reference["name"] == "openmm" for reference in chosen):
        from tbg_openmm.provenance import record_version

        record_version(run.folder)
