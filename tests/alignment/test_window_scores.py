"""Scores computed on demand are those of the field."""

import torch
from torch.testing import assert_close

from phyvae.alignment.components import as_layer, principal_components, score_field
from phyvae.alignment.window_scores import WindowScores


def test_scores_and_moves_are_those_of_the_field(grid):
    generator = torch.Generator().manual_seed(0)
    components = principal_components(grid, torch.empty(0), generator)
    field = score_field(grid, components, generator)
    direct = WindowScores(grid.windows, as_layer(components))
    corners = field.random(3000, generator)
    assert_close(direct(corners), field(corners), atol=1e-4, rtol=1e-4)
    offset = torch.randint(-20, 20, (3000, 2), generator=generator)
    assert torch.equal(direct.moved(corners, offset), field.moved(corners, offset))
