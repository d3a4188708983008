# SPDX-License-Identifier: GPL-2.0-or-later
"""Completion and the manual page: made from the parsers, and taken by the programs they are for."""

import contextlib
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.cli import COMMANDS
from launcher.interface.described import subcommands

ROOT = Path(__file__).resolve().parent.parent


def printed(*words: str) -> str:
    """What the launcher prints, with no library beyond the standard one."""
    argv = [sys.executable, "-S", str(ROOT / "plumbline"), *words]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def needs(program: str) -> str:
    """The path of a program, or a skip that names it."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"this machine has no {program}")
    return found


@pytest.fixture(scope="module")
def bash_script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("completion") / "plumbline.bash"
    file.write_text(printed("completion", "bash"))
    return file


def bash_completes(script: Path, *typed: str) -> list[str]:
    """What bash would offer for the last word; a `=` is a word of its own, as bash has it."""
    words = " ".join(f"'{word}'" for word in ("./plumbline", *typed))
    body = (
        f"source {script}; COMP_WORDS=({words}); COMP_CWORD={len(typed)}; _plumbline;"
        ' printf "%s\\n" "${COMPREPLY[@]}"; complete -p plumbline >&2'
    )
    argv = [needs("bash"), "--norc", "-u", "-c", body]
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=60, check=False, cwd=script.parent
    )
    assert "complete -F _plumbline plumbline" in done.stderr, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("ru",), ["run"]),
        (("--ver",), ["--version"]),
        (("run", "--interl"), ["--interleave"]),
        (("run", "--topology", "nat-"), ["nat-dnsmasq", "nat-dual-stack"]),
        (("run", "--topology", "plumb"), ["plumbline.bash"]),
        (("run", "--topology", "=", "nat-du"), ["nat-dual-stack"]),
        (("run", "--topology", "="), None),
        (("run", "--claim", "GN-0"), None),
        (("run", "--expect", "ov"), ["ovs", "ovs-kernel"]),
        (("run", "--until", ""), []),
        (("run", "--", "--topo"), []),
        (("gate", "--waivers", "plumb"), ["plumbline.bash"]),
        (("gate", "--resta"), ["--restart"]),
        (
            ("report", "--format", ""),
            ["html", "md", "junit", "allure", "json", "openmetrics"],
        ),
        (("explain", "NT-09"), ["NT-09"]),
        (("image", "exp"), ["export"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
)
def test_bash_offers_what_the_parsers_take(
    typed: tuple[str, ...], offered: list[str] | None, bash_script: Path
) -> None:
    found = bash_completes(bash_script, *typed)
    if offered is None:
        assert len(found) > 5
        assert all(word.startswith(typed[-1].lstrip("=")) for word in found)
    else:
        assert found == offered


def test_each_subcommand_and_option_is_in_every_script_and_in_the_manual() -> None:
    texts = {name: printed("completion", name) for name in ("bash", "zsh", "fish")}
    page = printed("man")
    assert [each.name for each in subcommands()] == list(COMMANDS)
    for each in subcommands():
        assert f"\n.SS {each.name}\n" in page
        for option in (*each.options, *each.taken):
            flag = option.flags[-1]
            assert flag in texts["bash"]
            assert f"{flag}=[" in texts["zsh"] or f"{flag}[" in texts["zsh"]
            assert f" -l {flag.removeprefix('--')} " in texts["fish"]
            assert flag.replace("-", "\\-") in page


def test_fish_takes_it_and_offers_the_same(tmp_path: Path) -> None:
    fish = needs("fish")
    script = tmp_path / "plumbline.fish"
    script.write_text(printed("completion", "fish"))
    asked = {
        "plumbline ru": "run",
        "./plumbline run --interl": "--interleave",
        "plumbline run --topology nat-dn": "nat-dnsmasq",
        "plumbline gate --waiver": "--waivers",
        "plumbline image exp": "export",
    }
    for typed, offered in asked.items():
        argv = [fish, "--no-config", "-c", f"source {script}; complete -C '{typed}'"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
        assert [line.split("\t")[0] for line in done.stdout.splitlines()] == [offered]
        assert not done.stderr


# An interactive zsh has this as its .zshrc: what the completion adds goes into a file, and a key
# that no editor has ends the shell.
ZSHRC = """\
PS1='ready> '
autoload -U compinit && compinit -u -D
source {script}
print -r -- "$_comps[plumbline]" >>{offered}
compadd() {{
    if [[ ${{@[1,(i)(-|--)]}} == *-[OAD]\\ * ]]; then
        builtin compadd "$@"
        return
    fi
    local -a words
    builtin compadd -O words "$@"
    print -rl -- $words >>{offered}
    builtin compadd "$@"
}}
leave() {{ exit }}
zle -N leave
bindkey '^I' complete-word
bindkey '^X' leave
"""


def zsh_completes(typed: str, folder: Path) -> list[str]:
    """What zsh offers at a terminal for the last word of a line."""
    script, offered = folder / "_plumbline", folder / "offered"
    script.write_text(printed("completion", "zsh"))
    (folder / ".zshrc").write_text(ZSHRC.format(script=script, offered=offered))
    ours, its = pty.openpty()
    # Without the site's own files, and with a terminal that shows nothing but the letters.
    variables = os.environ | {"ZDOTDIR": str(folder), "TERM": "dumb"}
    shell = subprocess.Popen(
        ["timeout", "--foreground", "60", needs("zsh"), "-o", "no_global_rcs", "-i"],
        stdin=its, stdout=its, stderr=its, env=variables, cwd=folder, start_new_session=True,
    )  # fmt: skip
    os.close(its)
    try:
        shown = b""
        while b"ready> " not in shown:
            shown += os.read(ours, 4096)
        os.write(ours, typed.encode() + b"\t\x18")
        # The kernel says EIO where the other end is closed.
        with contextlib.suppress(OSError):
            while said := os.read(ours, 4096):
                shown += said
        assert shell.wait(timeout=60) == 0, shown.decode(errors="replace")
    finally:
        shell.kill()
        shell.wait()
        os.close(ours)
    defined, *words = offered.read_text().splitlines()
    assert defined == "_plumbline"
    return [word for word in words if word]


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("plumbline ru", ["run"]),
        ("./plumbline run --interl", ["--interleave"]),
        ("plumbline run --topology=nat-d", ["nat-dnsmasq", "nat-dual-stack"]),
        ("plumbline explain NT-09", ["NT-09"]),
        ("plumbline gate --waiver", ["--waivers"]),
        ("plumbline image exp", ["export"]),
        ("plumbline completion ", ["bash", "zsh", "fish"]),
        ("plumbline run --until ", []),
    ],
)
def test_zsh_offers_what_the_parsers_take(typed: str, offered: list[str], tmp_path: Path) -> None:
    assert zsh_completes(typed, tmp_path) == offered


@pytest.mark.parametrize(
    "formatter",
    [
        ("man", "--warnings", "-E", "UTF-8", "-l"),
        ("groff", "-man", "-ww", "-Tutf8"),
        ("mandoc", "-T", "lint", "-W", "warning"),
    ],
)
def test_the_manual_page_is_formatted_without_a_warning(
    formatter: tuple[str, ...], tmp_path: Path
) -> None:
    page = tmp_path / "plumbline.1"
    page.write_text(printed("man"))
    argv = [needs(formatter[0]), *formatter[1:], str(page)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True)
    assert not done.stderr
    if formatter[0] == "mandoc":
        assert not done.stdout
    else:
        assert "--interleave" in re.sub(".\x08", "", done.stdout)


def test_the_version_has_one_place_and_the_commit(tmp_path: Path) -> None:
    said = printed("--version").split()
    project = (ROOT / "pyproject.toml").read_text()
    assert said[0] == "plumbline"
    assert f'version = "{said[1]}"' in project
    copy = tmp_path / "copy"
    for name in ("contracts", "launcher", "topologies"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("plumbline", "pyproject.toml"):
        shutil.copy(ROOT / name, copy / name)
    without = [sys.executable, str(copy / "plumbline"), "--version"]
    done = subprocess.run(without, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"plumbline {said[1]}\n"
