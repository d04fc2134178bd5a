"""One process at a time; the lock goes with whoever holds it."""

import subprocess
import sys
from pathlib import Path

import pytest

from releve.recovery.lock import hold

_HOLDER = """
import sys
from pathlib import Path
from releve.recovery.lock import hold
with hold(Path(sys.argv[1])) as is_ours:
    print(is_ours, flush=True)
    sys.stdin.read()
"""


def test_a_second_process_is_told_and_has_it_once_the_first_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "lock"
    argv = [sys.executable, "-c", _HOLDER, str(path)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "True\n"
        with hold(path) as is_ours:
            assert not is_ours
        other.kill()
        other.wait()
        with hold(path, waits=True) as is_ours:
            assert is_ours
    with hold(path) as is_ours:
        assert is_ours


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="exists"), hold(tmp_path / "file" / "lock"):
        pass
