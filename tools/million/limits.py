"""Whether this machine can hold so many connections, both ends: each limit that is too low, with its remedy.

Nothing is changed here. A setting is the administrator's.
"""
import resource
import socket

KIB, GIB = 1 << 10, 1 << 30
CONNECTION_BYTES = 11 * KIB  # both ends on one machine, nearly all of it the kernel's
SPARE_BYTES = 3 * GIB // 2   # for everything else
LEAST_BYTES = GIB            # below this a run is ended before the kernel ends something else


def read(path, default=None):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return default


def meminfo(name):
    return next(int(line.split()[1]) * KIB for line in read("/proc/meminfo").splitlines()
                if line.startswith(name + ":"))


def available_bytes():
    """What can still be taken: of the machine, or of the control group where that is less."""
    free = meminfo("MemAvailable")
    limit, used = read("/sys/fs/cgroup/memory.max", "max").strip(), read("/sys/fs/cgroup/memory.current")
    return free if limit == "max" or used is None else min(free, int(limit) - int(used))


def descriptor_limit():
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def sysctl(name):
    """The values of a setting; nothing where this kernel does not have it."""
    return [int(word) for word in (read("/proc/sys/" + name.replace(".", "/")) or "").split()]


def connections_are_tracked():
    """Whether netfilter keeps an entry for a loopback connection: only then does its table's size matter."""
    count = lambda: (sysctl("net.netfilter.nf_conntrack_count") or [0])[0]
    before, pairs = count(), 32
    with socket.create_server(("127.0.0.1", 0)) as server:
        clients = [socket.create_connection(server.getsockname()) for _ in range(pairs)]
        tracked = count() - before >= pairs
        for client in clients:
            client.close()
    return tracked


def too_low(connections, processes, told=0):
    """What stands in the way, a line each. `told`: clients that get a message at the same time."""
    found = []

    def need(name, least, position=-1):
        values = sysctl(name)
        if values and values[position] < least:
            values[position] = least
            found.append(f"{name} is too low: sysctl -w {name}='{' '.join(map(str, values))}'")

    wanted, free = connections * CONNECTION_BYTES + SPARE_BYTES, available_bytes()
    if free < wanted:
        found.append(f"{connections:,} connections take about {wanted / GIB:.1f} GiB and {free / GIB:.1f} GiB are "
                     f"available: end something, or hold {max(0, int((free - SPARE_BYTES) / CONNECTION_BYTES)):,} "
                     "(--connections)")
    if descriptor_limit() < 1024:
        found.append(f"a process may open {descriptor_limit()} files only: ulimit -Hn 20000, as root")
    need("fs.file-max", sysctl("fs.file-nr")[0] + 2 * connections + 200 * processes)
    need("net.core.somaxconn", 512)
    need("net.ipv4.tcp_max_syn_backlog", 512)
    # Pages. Connections at rest have none; what has been sent and not yet read takes one at each end. Beyond
    # the limit the kernel drops it, and everybody sends it again and again.
    need("net.ipv4.tcp_mem", 65_536 + 2 * told)
    need("vm.max_map_count", 4_096)
    need("kernel.pid_max", 4 * processes + 4_096)
    low, high = sysctl("net.ipv4.ip_local_port_range")
    if high - low < 8_000:
        found.append("net.ipv4.ip_local_port_range is too narrow: sysctl -w net.ipv4.ip_local_port_range='32768 60999'")
    if connections_are_tracked():
        need("net.netfilter.nf_conntrack_max", connections + connections // 5 + 10_000)
    return found
