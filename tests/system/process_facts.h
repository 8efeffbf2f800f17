// What the kernel says of a process and of those it started: for tests that bound CPU time and
// memory.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>
#include <vector>

namespace spate::tests {

// The process and its descendants.
std::vector<pid_t> process_tree(pid_t root);

// What ps shows of a process; empty when it has ended.
std::string command_line(pid_t pid);

// User and system time of the whole tree, in seconds, in steps of a clock tick (10 ms).
double cpu_seconds(pid_t root);

// Memory of the whole tree, what its processes share counted once. Without pages of files: whose
// share of libstdc++ they are depends on who else runs.
std::size_t owned_bytes(pid_t root);

// The part of it that is no shared memory: heaps and stacks.
std::size_t heap_bytes(pid_t root);

// Lets this process and those that it starts have as many descriptors as the machine allows. False
// when these are fewer than `needed`, which is then said.
bool raise_descriptors(std::size_t needed);

// Descriptors that one process holds.
std::size_t open_descriptors(pid_t pid);

// An integer option of each connected TCP socket of the tree.
std::vector<int> options_of_connections(pid_t root, int level, int name);

}  // namespace spate::tests
