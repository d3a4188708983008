# SPDX-License-Identifier: GPL-2.0-or-later
"""Staged hosts: they boot, reach nothing of this machine, and end with what started them."""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from fixtures.waiting import until
from launcher.launcher_error import UsageError
from launcher.staged import cgroup, privileges, profile, root_folder
from launcher.staged.staged_host import StagedHost
from launcher.staged.staging import VARIABLES, staged
from tests.launched import ROOT, SCHEMA, launched

RELEASES = root_folder.RELEASES
# On an idle machine a tenth of it, once the root folders are built.
DEADLINE_S = 600.0
BARE = profile.Profile("bare", "the packages of every host alone")


@pytest.fixture(scope="module", params=RELEASES)
def host(request: pytest.FixtureRequest) -> Iterator[StagedHost]:
    with staged(request.param, BARE, []) as made:
        yield made


def said(host: StagedHost, script: str) -> str:
    """What a script that succeeds prints there."""
    done = host.capture(["sh", "-ec", script], VARIABLES)
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def refused(host: StagedHost, script: str, why: str) -> None:
    """Whether a script fails there, for that reason."""
    done = host.capture(["sh", "-ec", script], VARIABLES)
    assert done.returncode != 0, f"{script}: it was allowed"
    assert why in done.stdout, done.stdout


@pytest.mark.parametrize("word", ["trixi", "bullseye", "/nowhere"])
def test_an_unknown_release_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=f"--release {word}: no release that can be staged"):
        root_folder.require_known(word)


@pytest.mark.parametrize("name", profile.names())
def test_a_shipped_profile_is_well_formed(name: str) -> None:
    shipped = profile.load(name)
    assert shipped.text
    for release in (*shipped.releases, *shipped.not_on):
        root_folder.require_known(release)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no text"),
        ("text = 'a'\npackage = ['b']", "unknown key 'package'"),
        ("text = ['a']", "text is not a text"),
        ("text = 'a'\npackages = [1]", "packages is not a list of texts"),
        ("text = 'a'\npackages_of = [1]", "packages_of is not a table of lists of texts"),
        ("text = 'a'\nnot_on = ['trixie']", "not_on is not a table of texts"),
        (
            "text = 'a'\nmasked = ['a.service', 'b.timer']\nenabled = ['b.timer']",
            "b.timer: a unit is masked or enabled, not both",
        ),
        ("text = 'a'\n[files]\n'etc/x' = ''", "etc/x is not an absolute path"),
        ("text = 'a'\n[files]\n'/etc/../x' = ''", "is not an absolute path"),
        ("text = ", "Invalid value"),
    ],
)
def test_a_profile_that_is_not_well_formed_is_refused(text: str, why: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(UsageError) as error:
        profile.load(str(file))
    assert why in str(error.value)


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(UsageError) as error:
        profile.load("plan")
    assert "did you mean 'plain'?" in str(error.value)


def test_a_profile_that_a_release_cannot_be_is_refused() -> None:
    with pytest.raises(UsageError, match="not with the release bookworm"):
        profile.Profile("new", "text", releases=("trixie",)).require("bookworm")


@pytest.mark.parametrize("release", RELEASES)
def test_the_profile_of_what_no_release_packages_says_so(release: str) -> None:
    with pytest.raises(UsageError, match=f"not with the release {release}: .* no package has virt"):
        profile.load("modular").require(release)


@pytest.mark.parametrize("script", ["lan"])
def test_a_script_of_a_staged_host_is_a_shell_script(script: str) -> None:
    file = ROOT / "launcher" / "staged" / "guestside" / script
    done = subprocess.run(["sh", "-n", file], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.staged
def test_its_services_run_and_none_failed(host: StagedHost) -> None:
    assert said(host, "systemctl is-system-running") == "running"
    assert said(host, "virsh net-list --all --name") == "default"
    assert said(host, "ovs-vsctl get open_vswitch . cur_cfg") != ""
    assert said(host, "cat /run/systemd/container") == "plumbline-staged"


@pytest.mark.staged
def test_its_links_lead_nowhere(host: StagedHost) -> None:
    # eth1 and eth2 are the ends of one cable. Beyond eth0's wire is its own router, which has no
    # other link.
    assert said(host, "ls /sys/class/net") == "eth0\neth1\neth2\nlo"
    links = said(host, "ip -n lan -br link").splitlines()
    assert sorted(line.split()[0].partition("@")[0] for line in links) == ["lan0", "lo"]
    # No default route.
    [route] = said(host, "ip -n lan route").splitlines()
    assert route.startswith("10.77.0.0/24 dev lan0 ")


@pytest.mark.staged
@pytest.mark.parametrize(
    "path",
    [
        "/proc/sys/kernel/panic",
        "/proc/sys/vm/swappiness",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/class/mem/null/uevent",
        "/sys/module/printk/parameters/time",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ],
)
def test_this_machines_settings_and_device_attributes_are_refused(
    host: StagedHost, path: str
) -> None:
    if not Path(path).exists():
        pytest.skip(f"this machine's kernel has no {path}")
    assert os.access(path, os.W_OK)
    # What is there already, so that nothing changes where it is not refused.
    refused(host, f"test -e {path} && echo >{path}", "Read-only file system")


@pytest.mark.staged
@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("date -s 2020-01-01", "Operation not permitted"),
        ("mknod /run/disk b 254 0", "Operation not permitted"),
        ("mknod /run/null c 1 3", "Operation not permitted"),
        ("dmesg", "Operation not permitted"),
        ("ls /dev/mem", "No such file"),
        ("ls /dev/kmsg", "No such file"),
    ],
)
def test_clock_device_nodes_and_the_kernels_log_are_refused(
    host: StagedHost, script: str, why: str
) -> None:
    refused(host, script, why)


@pytest.mark.staged
def test_a_module_is_refused(host: StagedHost) -> None:
    # finit_module(2) with a file that is no module: without the privilege the kernel does not look.
    load = "import ctypes, os; lib = ctypes.CDLL(None, use_errno=True)\n"
    load += "lib.syscall(313, os.open('/etc/hostname', os.O_RDONLY), b'', 0)\n"
    load += "print(os.strerror(ctypes.get_errno()))"
    done = host.capture(["python3", "-c", load])
    has_modules = Path("/proc/modules").exists()
    expected = errno.EPERM if has_modules else errno.ENOSYS
    assert done.stdout.strip() == os.strerror(expected)


@pytest.mark.staged
def test_its_own_networks_settings_are_its_own(host: StagedHost) -> None:
    here = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    other = "0" if here.strip() == "1" else "1"
    said(host, f"sysctl -q -w net.ipv4.ip_forward={other}")
    assert said(host, "sysctl -n net.ipv4.ip_forward") == other
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == here
    script = "ip link add br7 type bridge && echo 1 >/sys/class/net/br7/bridge/stp_state"
    said(host, f"{script} && ip link del br7")


@pytest.mark.staged
def test_no_service_of_it_has_a_privilege_that_is_withheld(host: StagedHost) -> None:
    withheld = sum(1 << number for number in privileges.WITHHELD.values())
    sets = said(host, "cat /proc/[0-9]*/status | grep ^CapBnd").splitlines()
    assert len(sets) > 5
    for line in sets:
        assert int(line.split()[1], 16) & withheld == 0


@pytest.mark.staged
def test_files_of_this_machine_stay_as_they_are(host: StagedHost) -> None:
    said(host, f"echo changed >{ROOT}/README.md; echo there >/etc/plumbline-was-here")
    assert "changed" not in (ROOT / "README.md").read_text().splitlines()
    assert not Path("/etc/plumbline-was-here").exists()
    assert said(host, f"cat {ROOT}/README.md") == "changed"


@pytest.mark.staged
@pytest.mark.parametrize("release", RELEASES)
def test_a_guest_that_no_run_made_answers(release: str) -> None:
    ping = (
        "from fixtures.guest.bystander import reached\n"
        "from fixtures.host.staged import StagedHost\n"
        "host = StagedHost()\n"
        "with reached(host) as channel:\n"
        "    argv = ['ping', '-c', '2', '-W', '5', '192.168.122.1']\n"
        "    print(channel.run(argv, deadline_s=30).stdout)\n"
        "host.close()\n"
    )
    with staged(release, profile.load("plain"), []) as host:
        assert said(host, "virsh list --name") == "bystander"
        pinged = host.capture(["python3", "-c", ping], VARIABLES | {"PYTHONPATH": str(ROOT)})
        assert "2 received" in pinged.stdout


@pytest.mark.staged
def test_no_package_of_it_has_a_modular_daemon(host: StagedHost) -> None:
    assert "/usr/sbin/libvirtd" in said(host, "cat /var/lib/dpkg/info/libvirt-daemon*.list")
    refused(host, "cat /var/lib/dpkg/info/*.list | grep -E '/virt(qemu|network)d$'", "")


@pytest.mark.staged
def test_a_run_in_it_is_on_a_machine_with_other_users(tmp_path: Path) -> None:
    mine = bare(tmp_path)
    words = ["--host", "staged", "--profile", mine, "--topology", "nat", "--claim", "NT-01"]
    done, record = launched("run", tmp_path / "run", *words)
    assert done.returncode in (0, 10), done.stdout + done.stderr
    jsonschema.validate(record, json.loads(SCHEMA.read_text()))
    host = record["host"]
    assert (host["kind"], host["facts"]["profile"]) == ("staged", "bare")
    assert "bookworm" in host["release"]
    verdicts = {check["id"]: check["verdict"] for check in record["checks"]}
    assert "conforms" in verdicts.values()
    assert set(verdicts.values()) <= {"conforms", "not-testable"}
    assert all(f"--profile {mine}" in check["rerun"] for check in record["checks"])


@pytest.mark.staged
def test_a_folder_that_may_be_written_to(tmp_path: Path) -> None:
    script = f"echo there >{tmp_path}/file; exit 3"
    words = ["--profile", bare(tmp_path), "--writable", str(tmp_path)]
    with stage(*words, "--", "sh", "-c", script) as run:
        _, err = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 3, err
    assert (tmp_path / "file").read_text() == "there\n"


@pytest.mark.staged
def test_a_kept_host_goes_on_as_after_a_restart(tmp_path: Path) -> None:
    words = ["--profile", bare(tmp_path), "--state", str(tmp_path / "state"), "--", "sh", "-c"]
    with stage(*words, "echo there >/etc/mark; cat /etc/machine-id") as first:
        identity, err = first.communicate(timeout=DEADLINE_S)
    assert first.returncode == 0, err
    with stage(*words, "cat /etc/mark /etc/machine-id; systemctl is-system-running") as second:
        out, err = second.communicate(timeout=DEADLINE_S)
    assert out == f"there\n{identity}running\n", err
    # Another release would not fit what it has written.
    other = ["--release", "trixie", *words]
    with stage(*other, "true") as third:
        assert third.wait(timeout=DEADLINE_S) == 4
        assert third.stderr is not None
        assert "of the release bookworm and the profile bare" in third.stderr.read()


@pytest.mark.staged
def test_a_folder_that_is_no_hosts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with stage("--profile", bare(tmp_path), "--state", str(tmp_path), "--", "true") as run:
        _, err = run.communicate(timeout=DEADLINE_S)
    assert (run.returncode, "not a staged host's folder" in err) == (4, True), err


@pytest.mark.staged
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--fetch-upgrade", "trixie"], "the host's changes are not kept"),
        (["--fetch-upgrade", "trixi", "--state"], "expected one of bookworm, trixie"),
        (["--fetch-upgrade", "trixie", "--state"], "no host was up with"),
    ],
)
def test_an_upgrade_that_cannot_be_fetched_is_refused(
    words: list[str], why: str, tmp_path: Path
) -> None:
    words += [str(tmp_path / "state")] if words[-1] == "--state" else []
    with stage("--profile", bare(tmp_path), *words, "--", "true") as run:
        _, err = run.communicate(timeout=DEADLINE_S)
    assert (run.returncode, why in err) == (4, True), err


@pytest.mark.staged
def test_a_host_that_was_never_ready_is_not_gone_on_with(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("text = 'broken'\ncommands = ['false']\n")
    words = ["--profile", str(file), "--state", str(tmp_path / "state"), "--", "true"]
    for why in ("a command ended with status 1", "its host was never ready"):
        with stage(*words) as run:
            _, err = run.communicate(timeout=DEADLINE_S)
        assert (run.returncode, why in err) == (10, True), err


@pytest.mark.staged
def test_a_profile_whose_command_fails_says_so(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("text = 'broken'\ncommands = ['echo the reason; false']\n")
    with stage("--profile", str(file), "--", "true") as run:
        _, err = run.communicate(timeout=DEADLINE_S)
    assert run.returncode == 10
    assert "profile broken: a command ended with status 1" in err
    assert "the reason" in err


@pytest.mark.staged
@pytest.mark.parametrize("who", ["the launcher", "its keeper"])
def test_nothing_stays_after_sigkill(who: str, tmp_path: Path) -> None:
    script = "readlink /proc/self/ns/net; cat"
    with stage("--profile", bare(tmp_path), "--", "sh", "-c", script) as run:
        assert run.stdout is not None
        namespace = run.stdout.readline().strip()
        assert len(processes_in(namespace)) > 5
        [keeper] = children(run.pid, b"launcher.staged.keeper")
        os.kill(run.pid if who == "the launcher" else keeper, signal.SIGKILL)
        until(lambda: not processes_in(namespace), "its processes are gone", deadline_s=30)
        run.kill()
    if who == "its keeper":
        # The next host removes the empty control group.
        with stage("--profile", bare(tmp_path), "--", "true") as after:
            assert after.wait(timeout=DEADLINE_S) == 0
    until(lambda: not groups_of(keeper), "its control groups are gone", deadline_s=30)
    assert "plumbline-staged" not in Path("/proc/self/mountinfo").read_text()


def bare(folder: Path) -> str:
    """A profile without a guest, which boots faster."""
    file = folder / "bare.toml"
    file.write_text(f"text = '{BARE.text}'\n")
    return str(file)


@contextlib.contextmanager
def stage(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Start `./plumbline stage`; what is left of it at the end of the block is killed."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "plumbline"), "stage", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as launcher:
        try:
            yield launcher
        finally:
            launcher.kill()


def processes_in(namespace: str) -> list[int]:
    """The processes whose network namespace is the given one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((entry / "ns/net").readlink()) == namespace:
                found.append(int(entry.name))
    return found


def children(parent: int, word: bytes) -> list[int]:
    """The children of a process with a word in their command line."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = status.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and word in status.with_name("cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


def groups_of(keeper: int) -> str:
    """The control groups of a keeper's host, in a mount namespace of this command's own."""
    find = f"find /sys/fs/cgroup -name '{cgroup.PREFIX}{keeper}'"
    show = f"mount -t cgroup2 none /sys/fs/cgroup && {find}"
    argv = ["unshare", "--mount", "sh", "-ec", show]
    return subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True).stdout
