# SPDX-License-Identifier: GPL-2.0-or-later
"""What ci/setup asks a package manager and sudo for: stand-ins of them note it.

They are in namespaces of their own: apt's lists and /usr/sbin are not the machine's.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher import packages
from tests.launched import ROOT
from tests.pipeline_clone import executable

# Of the system, what ci/setup is made of: the rest of /usr/bin is not in its PATH.
PROGRAMS = (
    *("awk", "bash", "chmod", "dirname", "env", "grep", "ln", "mkdir", "mktemp"),
    *("realpath", "rm", "sh", "sha256sum", "touch", "unshare"),
)
# Installs what is asked for: each package has one program. It fails as often as the file has lines,
# and notes its words, and the answer that Debian's packages get before they start a service.
MANAGER = """\
#!/bin/bash
here=${0%/*}
policy=$(/usr/sbin/policy-rc.d 2>/dev/null; echo $?)
echo "$policy $*" >>"$0.called"
[[ " $* " == *" install "* ]] || exit 0
if [[ -s $0.fails ]]; then
    mapfile -t left <"$0.fails"
    printf '%s' "${left[@]:1}" >"$0.fails"
    exit 100
fi
for word in "$@"; do
    [[ $word != absent-* ]] || { touch "$here/${word#*-}"; chmod 755 "$here/${word#*-}"; }
done
"""
# As root from then on.
SUDO = """\
#!/bin/bash
echo "$*" >>"$0.called"
[[ $1 == -- ]] && shift
exec unshare --user --map-root-user -- "$@"
"""
TABLE = """\
# A comment
run          command:one                       absent-one      absent-one
run,image    command:two|file:/nowhere/two*    absent-two      absent-two
venv         command:three                     absent-three    -
test         command:four                      absent-four     absent-four
run          command:bash                      bash            bash
"""
# Arguments: a folder, whether apt has lists, and the command.
APART = """\
mount -t tmpfs tmpfs "$1"
mkdir -p "$1/upper" "$1/work"
mount -t overlay -o "lowerdir=/usr/sbin,upperdir=$1/upper,workdir=$1/work" overlay /usr/sbin
rm -f /usr/sbin/policy-rc.d
if [ -d /var/lib/apt/lists ]; then
    mount -t tmpfs tmpfs /var/lib/apt/lists
    [ "$2" = no ] || touch /var/lib/apt/lists/mirror_Packages
fi
shift 2
code=0
"$@" || code=$?
[ ! -e /usr/sbin/policy-rc.d ] || echo "policy-rc.d was left" >&2
exit $code
"""


@dataclass(frozen=True)
class Machine:
    """A machine with stand-ins.

    Attributes:
        programs: the folder in its PATH.
        setup: its ci/setup.
    """

    programs: Path
    setup: Path

    def has(self, *managers: str) -> None:
        """Give it package managers, and sudo."""
        for name in managers:
            executable(self.programs / name, MANAGER)
        executable(self.programs / "sudo", SUDO)

    def called(self, program: str) -> list[list[str]]:
        """The words of each call of a program; of a manager, behind what its policy said."""
        file = self.programs / f"{program}.called"
        return [line.split() for line in file.read_text().splitlines()] if file.exists() else []

    def runs(
        self, *words: str, lists: bool = True, enter: tuple[str, ...] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run ci/setup.

        Args:
            words: its arguments.
            lists: whether apt has lists of packages.
            enter: words before the command.
        """
        apart = self.programs.parent / "apart"
        apart.mkdir(exist_ok=True)
        inner = ["sh", "-ec", APART, "sh", str(apart), "yes" if lists else "no", *enter]
        return subprocess.run(
            ["unshare", "--mount", *inner, str(self.setup), *words],
            env={"PATH": f"{self.programs}:/usr/sbin", "LC_ALL": "C"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "programs", tmp_path / "ci" / "setup")
    made.programs.mkdir()
    for name in (*PROGRAMS, "mount"):
        found = packages.find(name)
        assert found is not None
        (made.programs / name).symlink_to(found)
    made.setup.parent.mkdir()
    shutil.copy(ROOT / "ci" / "setup", made.setup)
    made.setup.with_name("packages").write_text(TABLE)
    return made


@pytest.mark.host
def test_dnf_installs_by_its_own_names(machine: Machine) -> None:
    machine.has("dnf")
    assert machine.runs("--list").stdout == "absent-one\nabsent-two\n"
    done = machine.runs()
    assert (done.returncode, done.stderr) == (0, "")
    words = ["--assumeyes", "--setopt=install_weak_deps=False", "install"]
    # It starts no service by itself: no policy is made, and there is none (127).
    assert machine.called("dnf") == [["127", *words, "absent-one", "absent-two"]]
    assert machine.runs().stdout == "ci/setup: nothing is missing\n"
    again = machine.runs("--for", "test")
    assert again.returncode == 0
    assert machine.called("dnf")[-1][1:] == [*words, "absent-four"]


@pytest.mark.host
def test_what_dnf_cannot_install_is_named(machine: Machine) -> None:
    machine.has("dnf")
    (machine.programs / "dnf.fails").write_text("once\n")
    done = machine.runs()
    assert (done.returncode, done.stderr) == (
        11,
        "ci/setup: dnf could not install: absent-one absent-two\n",
    )


@pytest.mark.host
def test_the_table_has_names_for_dnf(machine: Machine) -> None:
    shutil.copy(packages.TABLE, machine.setup.parent)
    machine.has("dnf")
    listed = machine.runs("--list").stdout.split()
    by_dnf = {need.dnf for need in packages.table()}
    assert "iputils" in listed
    assert set(listed) <= by_dnf - {"-"}
    # With both, apt's count.
    machine.has("apt-get")
    assert "iputils-ping" in machine.runs("--list").stdout.split()


APT = ["--quiet", "--option", "DPkg::Lock::Timeout=300", "--option", "Dpkg::Use-Pty=0"]
INSTALL = [*APT, "install", "--yes", "--no-install-recommends"]
UPDATE = [*APT, "update"]
NAMES = ["absent-one", "absent-two", "absent-three"]


@pytest.mark.host
@pytest.mark.parametrize("lists", [True, False])
def test_apt_installs_and_no_service_starts(machine: Machine, lists: bool) -> None:
    machine.has("apt-get")
    done = machine.runs(lists=lists)
    assert (done.returncode, done.stderr) == (0, "")
    updates = [] if lists else [["127", *UPDATE]]
    assert machine.called("apt-get") == [*updates, ["101", *INSTALL, *NAMES]]


@pytest.mark.host
def test_old_lists_of_apt_are_fetched_anew_and_it_is_tried_again(machine: Machine) -> None:
    machine.has("apt-get")
    (machine.programs / "apt-get.fails").write_text("once\n")
    done = machine.runs()
    assert (done.returncode, done.stderr) == (0, "")
    installs = ["101", *INSTALL, *NAMES]
    assert machine.called("apt-get") == [installs, ["101", *UPDATE], installs]


@pytest.mark.host
@pytest.mark.parametrize("lists", [True, False])
def test_what_apt_cannot_install_is_named(machine: Machine, lists: bool) -> None:
    machine.has("apt-get")
    (machine.programs / "apt-get.fails").write_text("once\nand again\n")
    done = machine.runs(lists=lists)
    assert done.returncode == 11
    assert done.stderr == f"ci/setup: apt-get could not install: {' '.join(NAMES)}\n"
    # Lists that were fetched just now are not old.
    assert len(machine.called("apt-get")) == (3 if lists else 2)


@pytest.mark.host
def test_an_installation_that_brings_nothing_is_no_success(machine: Machine) -> None:
    machine.has("apt-get")
    executable(machine.programs / "apt-get", "#!/bin/sh\nexit 0\n")
    done = machine.runs()
    assert done.returncode == 11
    assert done.stderr == f"ci/setup: installed, and yet not found: {' '.join(NAMES)}\n"


@pytest.mark.host
def test_a_user_installs_by_sudo(machine: Machine) -> None:
    machine.has("dnf")
    user = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    done = machine.runs("--for", "run,test", enter=user)
    assert (done.returncode, done.stderr) == (0, "")
    words = ["--", str(machine.setup), "--for", "run,test", "--python", "python3"]
    assert machine.called("sudo") == [words]
    assert machine.called("dnf")[0][-3:] == ["absent-one", "absent-two", "absent-four"]

    (machine.programs / "one").unlink()
    (machine.programs / "sudo").unlink()
    done = machine.runs(enter=user)
    assert done.returncode == 11
    assert done.stderr == "ci/setup: root is needed to install: absent-one; run it as root\n"


@pytest.mark.host
def test_a_machine_with_another_manager_is_told_debians_names(machine: Machine) -> None:
    done = machine.runs()
    assert done.returncode == 11
    assert done.stderr == (
        f"ci/setup: neither apt-get nor dnf is here; install what Debian calls: {' '.join(NAMES)}\n"
    )
