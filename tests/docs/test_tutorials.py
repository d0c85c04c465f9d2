"""The tutorials do what they say: their commands and code are run, in order, in an empty folder.

In ``docs/tutorials/*.md`` a fenced block is

* ``bash``: run by bash, stopping at the first error; folder and exported variables last to the next block;
* ``python``: run in one Python session per tutorial, in the folder that bash has reached;
* any language with ``title="PATH"``: written to that file, for the reader to copy;
* anything else (``text``, ``console``, ``yaml`` without a title): output or illustration, not run.

A comment on the line before a block changes how it is tested, not what is read:

* ``<!-- test: skip, REASON -->`` leaves it out;
* ``<!-- test: replace "A" by "B" -->`` makes it cheaper, e.g. ``-n 2000`` by ``-n 64``; it may stand there twice;
* ``<!-- test: fails -->`` says that a bash block ends with an error, as the text explains.

``<!-- test: slow -->`` at the beginning of a tutorial leaves it to ``make test-slow``.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,})(?P<language>\w*)(?P<rest>[^`\n]*)$")
REPLACE = re.compile(r'replace "(.*)" by "(.*)"')
STATE = '\ncode=$?\npwd > "$TBG_STATE.folder"\nexport -p > "$TBG_STATE.exports"\nexit $code\n'
DONE = "<block done>"
SESSION = f"""
import json, os, sys
names = {{"__name__": "__main__"}}
for line in sys.stdin:
    block = json.loads(line)
    os.chdir(block["folder"])
    exec(compile(block["text"], block["where"], "exec"), names)
    print({DONE!r}, flush=True)
"""


@dataclass
class Block:
    """A fenced block of a tutorial."""

    where: str
    language: str
    text: str
    title: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def skipped(self):
        return any(note.startswith("skip") for note in self.notes)

    @property
    def fails(self):
        return "fails" in self.notes


def blocks(text, name="tutorial"):
    """The fenced blocks of a page, with the comments before them."""
    found, notes = [], []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if match := re.fullmatch(r"\s*<!-- test: (.*) -->", line):
            notes.append(match[1])
        elif match := FENCE.match(line):
            body = []
            for _, inner in lines:
                if inner.strip() == match["fence"]:
                    break
                body.append(inner.removeprefix(match["indent"]))
            title = re.search(r'title="([^"]+)"', match["rest"])
            block = Block(
                f"{name}:{number}", match["language"], "\n".join(body) + "\n", title[1] if title else "", notes
            )
            for note in notes:
                if swap := REPLACE.fullmatch(note):
                    assert swap[1] in block.text, f"{block.where}: nothing to replace: {swap[1]!r}"
                    block.text = block.text.replace(swap[1], swap[2])
            found.append(block)
            notes = []
        elif line.strip():
            notes = []
    return found


class Reader:
    """Somebody who follows a tutorial to the letter."""

    def __init__(self, environment, folder):
        self.environment, self.folder, self.start = environment, folder, folder
        self.state = folder.parent / "state"
        self.session = None

    def follow(self, block):
        if block.skipped:
            return
        if block.title:
            path = self.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "bash":
            self._bash(block)
        elif block.language == "python":
            self._python(block)

    def _bash(self, block):
        exports = Path(f"{self.state}.exports")
        before = f"source {exports}\n" if exports.exists() else ""
        # A subshell, so that `set -e` and `exit` end the block and not the record of where it stood.
        script = f"{before}trap '{STATE}' EXIT\nset -euo pipefail\n{block.text}"
        variables = {**self.environment.variables, "TBG_STATE": str(self.state)}
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        assert (done.returncode != 0) == block.fails, (
            f"{block.where} ended with {done.returncode}\n{block.text}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
        )
        self.folder = Path(Path(f"{self.state}.folder").read_text().strip())

    def _python(self, block):
        if self.session is None:
            self.session = subprocess.Popen(
                [self.environment.bin / "python", "-c", SESSION],
                env=self.environment.variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        order = {"text": block.text, "where": block.where, "folder": str(self.folder)}
        self.session.stdin.write(json.dumps(order) + "\n")
        self.session.stdin.flush()
        output = []
        for line in self.session.stdout:
            if line.strip() == DONE:
                return
            output.append(line)
        pytest.fail(f"{block.where} failed\n{block.text}\n{''.join(output)[-4000:]}")

    def close(self):
        if self.session is not None:
            self.session.stdin.close()
            self.session.wait(timeout=60)


@pytest.fixture
def reader(environment, tmp_path):
    folder = tmp_path / "reader"
    folder.mkdir()
    reader = Reader(environment, folder)
    yield reader
    reader.close()


def pages():
    for path in sorted(TUTORIALS.glob("*.md")):
        slow = "<!-- test: slow -->" in path.read_text(encoding="utf-8")
        yield pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if slow else [])


@pytest.mark.parametrize("page", list(pages()))
def test_tutorial(page, reader):
    found = blocks(page.read_text(encoding="utf-8"), page.name)
    assert any(block.language in {"bash", "python"} for block in found), "nothing to run"
    for block in found:
        reader.follow(block)


PAGE = """
# A page

<!-- test: replace "-n 2000" by "-n 2" -->
```bash
mkdir one && cd one
export WORD=kept
echo "-n 2000" > count.txt
```

```python title="made/module.py"
VALUE = 3
```

```python
import sys; sys.path.insert(0, "made")
from module import VALUE
```

Text in between.

```text
not run: exit 1
```

```bash
test "$WORD" = kept && test "$(cat count.txt)" = "-n 2" && cd ..
```

```python
from pathlib import Path
assert VALUE == 3 and Path("one/made/module.py").exists()
```

<!-- test: skip, it would take a day -->
```bash
exit 1
```

<!-- test: fails -->
```bash
false
echo unreachable > reached.txt
```
"""


def test_blocks_are_run_in_order_and_share_their_folder(reader):
    for block in blocks(PAGE):
        reader.follow(block)
    assert not (reader.start / "reached.txt").exists()


@pytest.mark.parametrize(
    "page",
    ["```bash\nfalse\ntrue\n```", "```python\nassert False\n```", "<!-- test: fails -->\n```bash\ntrue\n```"],
)
def test_a_page_that_does_not_work_is_found_out(page, reader):
    (block,) = blocks(page)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=r"tutorial:\d"):
        reader.follow(block)
