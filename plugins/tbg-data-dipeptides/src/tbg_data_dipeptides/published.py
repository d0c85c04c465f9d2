"""Figures of published work for the splits; definitions are those of the benchmark unless a remark says otherwise."""

from __future__ import annotations

from typing import Final

from tbg_core.benchmark.published import Published

_PROSE: Final = "Tan et al. 2025, arXiv:2508.18175, table 2"
_PROPOSALS: Final = "Tan et al. 2025, arXiv:2508.18175, tables 11 and 14"
_TBG: Final = "Klein & Noé 2024, arXiv:2406.14426, table 2"
_NCE: Final = "BoltzNCE 2025, arXiv:2507.00846, table 4"

_PUBLISHED: Final[dict[str, tuple[Published, ...]]] = {
    "test_prose": (
        Published("Prose (285M), reweighted", _PROSE, 0.191, None, 0.371, 0.210, jsd=0.004),
        Published("TarFlow (115M), reweighted", _PROSE, 0.134, None, 0.452, 0.193, jsd=0.005),
        Published(
            "ECNF (TBG, pretrained), reweighted",
            _PROSE,
            0.086,
            None,
            0.894,
            0.488,
            jsd=0.031,
            remark="28, no PG, PY; 15 were trained on",
        ),
        Published("ECNF++, reweighted", _PROSE, 0.024, None, 3.470, 0.302, jsd=0.020),
        Published("ECNF++, proposal", _PROPOSALS, e_w2=1.958, t_w2=0.143, jsd=0.002),
        Published("Timewarp", _PROSE, None, None, 4.532, 0.842, remark="28, no PG, PY"),
        Published("BioEmu", _PROSE, None, None, 45.313, 1.208),
        Published("UniSim", _PROSE, None, None, 1e5, 1.289, remark="E-W2 above 1e5"),
    ),
    "test_tbg_8": (
        Published("TBG + full, reweighted", _TBG, 0.1529, 0.0927, valid=0.98, remark="8; all weights kept"),
        Published("TBG + full, biased data", _TBG, 0.1024, 0.0714, remark="8; all weights kept"),
        Published(
            "TBG + full, smaller, a tenth of the data", _TBG, 0.0613, 0.0313, valid=0.96, remark="8; all weights kept"
        ),
    ),
    "test_tbg": (
        Published("TBG, reweighted, 3e4 samples", _NCE, e_w2=0.36, t_w2=0.34, phi=0.13, remark="7 of the split"),
        Published("BoltzNCE, reweighted", _NCE, e_w2=1.08, t_w2=0.44, phi=0.43, remark="7 of the split"),
        Published("molecular dynamics", _NCE, e_w2=0.17, t_w2=0.22, phi=0.18, remark="7 of the split"),
    ),
}

_REMARKS: Final[dict[str, str]] = {
    "test_prose": (
        "Published rows of test_prose: 30 dipeptides, 10,000 energy evaluations, references of 5 µs, up to 10,000 "
        "points in every distance, the largest 0.2 % of the weights removed. JSD from table 14, which does not say in "
        "which unit."
    ),
    "test_tbg_8": (
        "Published rows of test_tbg_8: as quoted elsewhere; one note says that they are of 100 dipeptides, the caption "
        "of the table says 8."
    ),
    "test_tbg": "Published rows of test_tbg: AC, ET, GN, IM, KS, NY and NF only; how phi is divided may differ.",
}


def published(split: str) -> tuple[Published, ...]:
    """Rows of papers for the systems of a split."""
    return _PUBLISHED.get(split, ())


def remarks(split: str) -> tuple[str, ...]:
    """What to know of them."""
    return (_REMARKS[split],) if split in _REMARKS else ()
