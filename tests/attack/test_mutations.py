"""The mutations still fit the code: what they take away is there. `make mutations` tries them."""

from pathlib import Path

import pytest

from tests.attack.mutation import Mutation
from tests.attack.mutations import MUTATIONS, ROOT, mutate


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_what_a_mutation_takes_away_is_there(mutation: Mutation, tmp_path: Path) -> None:
    for file, _, _ in mutation.edits:
        copy = tmp_path / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text((ROOT / file).read_text())

    mutate(tmp_path, mutation)

    for file, _, _ in mutation.edits:
        if file.endswith(".py"):
            compile((tmp_path / file).read_text(), file, "exec")
        assert (tmp_path / file).read_text() != (ROOT / file).read_text()
