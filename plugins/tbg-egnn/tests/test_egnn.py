"""The EGNN field: published sizes, symmetries, exact divergence."""

from __future__ import annotations

import pytest
import torch

from tbg_core.config.load import make_config
from tbg_core.config.resolve import resolve
from tbg_core.contracts.system import Batch
from tbg_core.errors import CheckpointError, ConfigError, UnsupportedSystemError
from tbg_core.loading import load_system as molecule
from tbg_core.pipeline.checkpoints import find_checkpoint
from tbg_core.testing.field import FieldConformance
from tbg_egnn.config import EGNNConfig
from tbg_egnn.egnn import EGNN


def make(text: str, **options) -> EGNN:
    torch.manual_seed(0)  # noqa: TID251 - torch initialises weights from its global generator
    field = EGNN(EGNN.adapt(EGNNConfig(**options), [molecule(text)]))
    # The published initialisation makes the field almost zero, and with it every comparison trivial.
    for layer in field.layers:
        torch.nn.init.normal_(layer.coordinate_out.weight, std=0.3)
    return field


class TestConformance(FieldConformance):
    def make(self) -> EGNN:
        return make("ACE-NME", layers=3, width=16, encoding="element")

    def system(self):
        return molecule("ACE-NME")


@pytest.mark.parametrize(
    ("text", "options", "count"),
    [
        ("ACE-ALA-NME", {"encoding": "backbone"}, 147_599),
        ("ACE-ALA-NME", {"encoding": "full"}, 149_276),
        ("GF", {"encoding": "element", "layers": 9, "width": 128}, 1_044_239),
        ("GF", {"encoding": "backbone", "layers": 9, "width": 128}, 1_046_295),
        ("GF", {"encoding": "full", "layers": 9, "width": 128}, 1_062_486),
    ],
)
def test_parameter_counts_are_the_published_ones(text, options, count):
    """Klein & Noe (2024) with BoltzNCE Table 5: 147,599 and 1,044,239; the others by the same formula."""
    field = EGNN(EGNN.adapt(EGNNConfig(time_frequencies=0, **options), [molecule(text)]))
    assert sum(p.numel() for p in field.parameters()) == count


@pytest.mark.parametrize("layers", [1, 2, 5])
def test_structured_divergence_is_the_trace_of_the_jacobian(layers, n_methylacetamide):
    field = make("ACE-NME", layers=layers, width=8).double()
    x = n_methylacetamide.space.project(torch.randn(2, 12, 3, dtype=torch.float64))
    t = torch.tensor([0.2, 0.9], dtype=torch.float64)
    batch = Batch.single(n_methylacetamide, 2)
    with torch.no_grad():
        v, divergence = field.velocity_and_divergence(t, x, batch)
    for row in range(2):
        one = Batch.single(n_methylacetamide, 1)
        jacobian = torch.autograd.functional.jacobian(
            lambda z, row=row, one=one: field(t[row : row + 1], z.view(1, 12, 3), one).flatten(), x[row].flatten()
        )
        assert divergence[row] == pytest.approx(float(jacobian.trace()), rel=1e-10)
    assert torch.allclose(v, field(t, x, batch), atol=1e-12)


def test_padding_changes_nothing():
    """A dipeptide beside a larger one in a padded batch moves as it does alone."""
    small, large = molecule("GG"), molecule("GF")
    field = make("GF", layers=2, width=8).double()
    n, size = small.n_atoms, large.n_atoms
    x = torch.zeros(2, size, 3, dtype=torch.float64)
    x[0, :n] = small.space.project(torch.randn(n, 3, dtype=torch.float64))
    x[1] = large.space.project(torch.randn(size, 3, dtype=torch.float64))
    mask = torch.zeros(2, size, dtype=torch.bool)
    mask[0, :n], mask[1] = True, True
    t = torch.tensor([0.3, 0.3], dtype=torch.float64)
    padded = field(t, x, Batch((small, large), torch.tensor([0, 1]), mask))
    alone = field(t[:1], x[:1, :n], Batch.single(small, 1))
    assert torch.allclose(padded[0, :n], alone[0], atol=1e-10)
    assert not padded[0, n:].any()
    with torch.no_grad():
        _, divergence = field.velocity_and_divergence(t, x, Batch((small, large), torch.tensor([0, 1]), mask))
        _, expected = field.velocity_and_divergence(t[:1], x[:1, :n], Batch.single(small, 1))
    assert divergence[0] == pytest.approx(float(expected[0]), rel=1e-10)


def test_a_network_for_one_molecule_refuses_another():
    field = make("ACE-ALA-NME", layers=1, width=8)
    other = molecule("ACE-NME")
    with pytest.raises(UnsupportedSystemError, match="not the kind of molecule"):
        field(torch.zeros(1), torch.zeros(1, 12, 3), Batch.single(other, 1))


def test_a_single_molecule_encoding_is_refused_for_two_molecules():
    with pytest.raises(ConfigError, match="one molecule"):
        EGNN.adapt(EGNNConfig(), [molecule("ACE-NME"), molecule("ACE-ALA-NME")])


@pytest.mark.parametrize(("text", "folder"), [("ACE-ALA-NME", "alanine-dipeptide"), ("GF", "dipeptides")])
def test_the_checkpoint_for_a_molecule_is_found(text, folder):
    config = resolve(make_config({"system": text, "model": "egnn"}), ("system", "model"))
    assert find_checkpoint(config, molecule(text)).name == folder


def test_a_longer_peptide_is_told_what_to_do():
    config = resolve(make_config({"system": "GGG", "model": "egnn"}), ("system", "model"))
    with pytest.raises(CheckpointError, match=r"no checkpoint of egnn covers GGG.*--model autoregressive"):
        find_checkpoint(config, molecule("GGG"))
