"""Isomorphisms of small coloured graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Neighbours = Sequence[Sequence[int]]


def refine(neighbours: Neighbours, colours: Sequence[object]) -> tuple[int, ...]:
    """Colour refinement (1-dimensional Weisfeiler-Leman).

    Args:
        neighbours: Bonded atoms of each atom [N].
        colours: Hashable colours [N].

    Returns:
        Refined colours [N] as integers, numbered by first appearance: atoms with different colours have
        surroundings that differ, so that no automorphism exchanges them.
    """
    current = _number(colours)
    while True:
        around = [tuple(sorted(current[j] for j in row)) for row in neighbours]
        refined = _number(list(zip(current, around, strict=True)))
        if len(set(refined)) == len(set(current)):
            return refined
        current = refined


def _number(colours: Sequence[object]) -> tuple[int, ...]:
    seen: dict[object, int] = {}
    return tuple(seen.setdefault(c, len(seen)) for c in colours)


def search_order(neighbours: Neighbours, colours: Sequence[object]) -> tuple[tuple[int, int], ...]:
    """An order in which to match atoms: rarest colours first, then along bonds.

    Returns:
        Pairs (atom, parent): ``parent`` is an earlier atom bonded to ``atom``, or -1 where a part starts.
    """
    count: dict[object, int] = {}
    for c in colours:
        count[c] = count.get(c, 0) + 1
    order: list[tuple[int, int]] = []
    placed: set[int] = set()
    frontier: dict[int, int] = {}
    while len(order) < len(neighbours):
        if frontier:
            i = min(frontier, key=lambda j: (count[colours[j]], j))
        else:
            i = min((j for j in range(len(neighbours)) if j not in placed), key=lambda j: (count[colours[j]], j))
        order.append((i, frontier.pop(i, -1)))
        placed.add(i)
        for j in neighbours[i]:
            if j not in placed:
                frontier.setdefault(j, i)
    return tuple(order)


def isomorphisms(
    pattern: Neighbours,
    pattern_colours: Sequence[object],
    target: Neighbours,
    target_colours: Sequence[object],
    order: Sequence[tuple[int, int]] | None = None,
) -> Iterator[tuple[int, ...]]:
    """All colour-preserving isomorphisms, by backtracking.

    The order in which they come depends on the two graphs alone. Images are tried in ascending order, so the
    first automorphism of a graph with itself need not be the identity, but a given input always gives the
    same one.

    Args:
        pattern: Bonded atoms of each atom of one graph [N], ascending.
        pattern_colours: Its colours [N].
        target: Bonded atoms of the other graph [N], ascending.
        target_colours: Its colours [N].
        order: :func:`search_order` of ``pattern``, to save time.

    Yields:
        The image in ``target`` of each atom of ``pattern`` [N].
    """
    n = len(pattern)
    if n != len(target):
        return
    order = search_order(pattern, pattern_colours) if order is None else order
    by_colour: dict[object, list[int]] = {}
    for j, c in enumerate(target_colours):
        by_colour.setdefault(c, []).append(j)
    target_sets = [set(row) for row in target]
    image = [-1] * n
    used = [False] * n
    position = {i: depth for depth, (i, _) in enumerate(order)}
    earlier = [[j for j in pattern[i] if position[j] < depth] for depth, (i, _) in enumerate(order)]

    def extend(depth: int) -> Iterator[tuple[int, ...]]:
        if depth == n:
            yield tuple(image)
            return
        i, parent = order[depth]
        colour = pattern_colours[i]
        candidates = target[image[parent]] if parent >= 0 else by_colour.get(colour, ())
        for j in candidates:
            # Equal degrees and every bond kept make the two graphs equal once all atoms are placed.
            if used[j] or target_colours[j] != colour or len(target[j]) != len(pattern[i]):
                continue
            if all(image[k] in target_sets[j] for k in earlier[depth]):
                image[i], used[j] = j, True
                yield from extend(depth + 1)
                image[i], used[j] = -1, False

    yield from extend(0)


def is_automorphic(neighbours: Neighbours, colours: Sequence[object], i: int, j: int) -> bool:
    """True if some colour-preserving automorphism takes atom i to atom j."""
    if i == j:
        return True
    start = [(c, k == i) for k, c in enumerate(colours)]
    end = [(c, k == j) for k, c in enumerate(colours)]
    return next(isomorphisms(neighbours, start, neighbours, end), None) is not None
