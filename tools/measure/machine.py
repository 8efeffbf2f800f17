"""What figures were measured on, without the machine's name."""
import os
import platform
import re
import subprocess

from measure import ROOT


def first_line(path, field=""):
    """Of a file; with a field, the value of the first line that begins with it. Empty if none."""
    try:
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.startswith(field):
                    return line.partition(":")[2].strip() if field else line.strip()
    except OSError:
        pass
    return ""


def git(*words):
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def facts():
    memory = first_line("/proc/meminfo", "MemTotal").split()
    return {
        "cpu": first_line("/proc/cpuinfo", "model name") or platform.machine(),
        "cores": os.cpu_count(),
        "memory_bytes": int(memory[0]) * 1024 if memory else 0,
        "virtual": " hypervisor" in first_line("/proc/cpuinfo", "flags"),
        "kernel": platform.release(),
        "congestion_control": first_line("/proc/sys/net/ipv4/tcp_congestion_control"),
        "load_average_before": os.getloadavg()[0],
        "commit": git("rev-parse", "--short=7", "HEAD"),
        "uncommitted_changes": bool(git("status", "--porcelain", "--untracked-files=no")),
    }


def slug(cpu, cores):
    """A neutral name of the machine: what the processor is, and how many cores there are."""
    cpu = re.sub(r"\(.*?\)|@.*|\d+-Core|CPU|Processor|Intel|AMD|[\d.]+GHz", " ", cpu,
                 flags=re.IGNORECASE)
    words = re.findall(r"[a-z0-9]+", cpu.lower())[:3]
    return "-".join([*words, f"{cores}c"])
