#include "bundle/resctrl.h"

namespace fermata::bundle {
namespace {

kernel::ResctrlRequest request_of(const oci::IntelRdt& wanted, const std::string& id) {
  kernel::ResctrlRequest request;
  request.group = wanted.clos_id.empty() ? id : wanted.clos_id;
  for (const std::string& line : {wanted.l3_cache_schema, wanted.memory_bandwidth_schema})
    if (!line.empty()) request.pinned.push_back(line);
  request.lines = wanted.schemata;
  request.must_exist = !wanted.clos_id.empty() && request.pinned.empty() && request.lines.empty();
  if (wanted.enable_monitoring) request.monitor = id;
  return request;
}

Result<kernel::ResctrlGroup> enter(const oci::IntelRdt& wanted, const std::string& id, int pid) {
  TRY(const auto resctrl, kernel::Resctrl::detect());
  TRY(auto group, resctrl.make(request_of(wanted, id)));
  if (auto added = resctrl.add_process(group, pid); !added) {
    static_cast<void>(
        kernel::remove_resctrl_group(group).has_value());  // the first failure is the one to tell
    return tl::unexpected(std::move(added.error()));
  }
  // A class with a name of its own may have been joined by others meanwhile, and is theirs to remove.
  if (!wanted.clos_id.empty()) group.made = false;
  return group;
}

}  // namespace

Result<kernel::ResctrlGroup> enter_resctrl(const oci::RuntimeSpec& spec, const std::string& id, int pid) {
  if (!spec.intel_rdt) return kernel::ResctrlGroup();
  auto group = enter(*spec.intel_rdt, id, pid);
  if (!group) return fail_with(std::move(group.error()), "linux.intelRdt");
  return group;
}

}  // namespace fermata::bundle
