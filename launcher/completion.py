# SPDX-License-Identifier: GPL-2.0-or-later
"""`./plumbline completion`: prints a shell's completion, made from the parsers."""

from collections.abc import Sequence

from launcher.arguments import Parser, one_of

SHELLS = ("bash", "zsh", "fish")
EXAMPLES = (
    ("source <(./plumbline completion bash)", "for this shell"),
    ("./plumbline completion zsh > ~/.zfunc/_plumbline", "a folder of zsh's fpath"),
    ("./plumbline completion fish | source", "for this shell"),
)


def parser() -> Parser:
    """Return the parser of `completion`."""
    own = Parser("completion", "Print a shell's completion of this command line.", EXAMPLES)
    own.add_argument("shell", type=one_of(*SHELLS), metavar="|".join(SHELLS))
    return own


def main(argv: Sequence[str]) -> int:
    """Print it."""
    shell = parser().parse(argv).shell
    # Imported here: --help needs none of it, and these import this.
    from launcher.interface import bash, fish, zsh

    script = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}[shell]
    print(script(), end="")
    return 0
