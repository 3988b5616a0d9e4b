// The device controller's two forms. Version 1 takes one line per rule; version 2 takes a BPF program that
// the kernel asks on every open and mknod of a device. Both mean: the last rule that speaks of a device
// decides, access by access, and what no rule speaks of is allowed, as in a fresh v1 group.
#pragma once

#include <linux/bpf.h>

#include <string>
#include <vector>

#include "base/error.h"
#include "kernel/cgroup.h"

namespace fermata::kernel {

// "c 1:3 rwm", as devices.allow and devices.deny take it. Two lines where the rule speaks of block and of
// character devices: the kernel takes any line of type 'a' to mean every access to every device.
std::vector<std::string> format_device_rule(const DeviceRule& rule);
// The program of type BPF_PROG_TYPE_CGROUP_DEVICE. Its value: 1 allowed, 0 refused. Pure.
std::vector<bpf_insn> plan_device_program(const std::vector<DeviceRule>& rules);
// Loads the program and attaches it to the v2 group, in place of what was attached there before.
Result<void> attach_device_program(int cgroup, const std::vector<DeviceRule>& rules);

}  // namespace fermata::kernel
