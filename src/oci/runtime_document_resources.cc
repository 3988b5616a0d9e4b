// The `linux.resources` object: config-linux.md, "Control groups". What values mean to the kernel, and which
// of them it takes, is known where limits are made of them.
#include "oci/runtime_document_parts.h"

namespace fermata::oci {
namespace {

// -1 is what some writers have for "any", which is otherwise told by leaving the number out.
Result<void> read_device_number(const Fields& fields, const char* key, std::optional<std::int64_t>& out) {
  TRY(fields.read_between(key, -1, 0xffffffff, out));
  if (out == -1) out.reset();
  return {};
}

Result<void> read_device_rule(const Fields& fields, DeviceRule& out) {
  TRY(fields.require("allow"));
  TRY(fields.read("allow", out.allow));
  std::string type = "a";
  TRY(fields.read("type", type));
  if (type.empty()) type = "a";
  if (type != "a" && type != "b" && type != "c") return fields.wrong("type", "'{}' is none of a, b, c", type);
  out.type = type[0];
  TRY(read_device_number(fields, "major", out.major));
  TRY(read_device_number(fields, "minor", out.minor));
  std::string access;
  TRY(fields.read("access", access));
  if (access.find_first_not_of("rwm") != std::string::npos)
    return fields.wrong("access", "'{}' has letters other than r, w, m", access);
  if (!access.empty()) out.access = access;
  return {};
}

Result<void> read_memory(const Fields& fields, Resources& out) {
  TRY(fields.read("limit", out.memory_limit));
  TRY(fields.read("reservation", out.memory_reservation));
  TRY(fields.read("swap", out.memory_swap));
  TRY(fields.read("kernel", out.kernel_memory));
  TRY(fields.read("kernelTCP", out.kernel_tcp_memory));
  TRY(fields.read("swappiness", out.memory_swappiness));
  TRY(fields.read("disableOOMKiller", out.disable_oom_killer));
  TRY(fields.read("useHierarchy", out.use_hierarchy));
  return fields.read("checkBeforeUpdate", out.check_before_update);
}

Result<void> read_cpu(const Fields& fields, Resources& out) {
  TRY(fields.read("shares", out.cpu_shares));
  TRY(fields.read("quota", out.cpu_quota));
  TRY(fields.read("burst", out.cpu_burst));
  TRY(fields.read("period", out.cpu_period));
  TRY(fields.read("realtimeRuntime", out.cpu_realtime_runtime));
  TRY(fields.read("realtimePeriod", out.cpu_realtime_period));
  TRY(fields.read("cpus", out.cpuset_cpus));
  TRY(fields.read("mems", out.cpuset_mems));
  return fields.read("idle", out.cpu_idle);
}

Result<void> read_pids(const Fields& fields, Resources& out) { return fields.read("limit", out.pids_limit); }

template <class T>
Result<void> read_block_device(const Fields& fields, T& out) {
  TRY(fields.require("major"));
  TRY(fields.require("minor"));
  TRY(fields.read_between("major", 0, 0xffffffff, out.major));
  return fields.read_between("minor", 0, 0xffffffff, out.minor);
}

Result<void> read_weight_device(const Fields& fields, WeightDevice& out) {
  TRY(read_block_device(fields, out));
  TRY(fields.read("weight", out.weight));
  return fields.read("leafWeight", out.leaf_weight);
}

Result<void> read_throttle_device(const Fields& fields, ThrottleDevice& out) {
  TRY(read_block_device(fields, out));
  TRY(fields.require("rate"));
  return fields.read("rate", out.rate);
}

Result<void> read_block_io(const Fields& fields, Resources& out) {
  TRY(fields.read("weight", out.blkio_weight));
  TRY(fields.read("leafWeight", out.blkio_leaf_weight));
  TRY(fields.read_objects("weightDevice", out.blkio_weight_devices, read_weight_device));
  TRY(fields.read_objects("throttleReadBpsDevice", out.blkio_read_bps, read_throttle_device));
  TRY(fields.read_objects("throttleWriteBpsDevice", out.blkio_write_bps, read_throttle_device));
  TRY(fields.read_objects("throttleReadIOPSDevice", out.blkio_read_iops, read_throttle_device));
  return fields.read_objects("throttleWriteIOPSDevice", out.blkio_write_iops, read_throttle_device);
}

Result<void> read_hugepage_limit(const Fields& fields, HugepageLimit& out) {
  TRY(fields.require("pageSize"));
  TRY(fields.require("limit"));
  TRY(fields.read("pageSize", out.page_size));
  return fields.read("limit", out.limit);
}

Result<void> read_rdma_limit(const Fields& fields, RdmaLimit& out) {
  TRY(fields.read("hcaHandles", out.hca_handles));
  return fields.read("hcaObjects", out.hca_objects);
}

Result<void> read_interface_priority(const Fields& fields, InterfacePriority& out) {
  TRY(fields.require("name"));
  TRY(fields.require("priority"));
  TRY(fields.read("name", out.name));
  return fields.read("priority", out.priority);
}

Result<void> read_network(const Fields& fields, Resources& out) {
  TRY(fields.read("classID", out.network_class_id));
  return fields.read_objects("priorities", out.network_priorities, read_interface_priority);
}

// They become file names of the group's directory.
Result<void> read_unified(const Fields& fields, Resources& out) {
  TRY(fields.read("unified", out.unified));
  for (const auto& [name, value] : out.unified)
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
      return fields.wrong("unified", "'{}' is not the name of a file", name);
  return {};
}

}  // namespace

Result<void> read_resources(const Fields& fields, Resources& out) {
  TRY(fields.read_objects("devices", out.devices, read_device_rule));
  TRY(fields.read_object("memory", out, read_memory));
  TRY(fields.read_object("cpu", out, read_cpu));
  TRY(fields.read_object("pids", out, read_pids));
  TRY(fields.read_object("blockIO", out, read_block_io));
  TRY(fields.read_objects("hugepageLimits", out.hugepages, read_hugepage_limit));
  TRY(fields.read_named_objects("rdma", out.rdma, read_rdma_limit));
  TRY(fields.read_object("network", out, read_network));
  return read_unified(fields, out);
}

}  // namespace fermata::oci
