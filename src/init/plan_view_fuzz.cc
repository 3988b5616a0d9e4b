#include <cstdint>
#include <cstring>
#include <vector>

#include "init/plan_view.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint64_t> aligned((size + 7) / 8);
  if (size > 0) std::memcpy(aligned.data(), data, size);
  fermata::init::PlanView plan;
  if (!plan.open(aligned.data(), size)) return 0;
  fermata::init::OpView op;
  volatile std::size_t sum = 0;
  while (plan.next(&op) == fermata::init::PlanView::Next::op) {
    for (std::uint32_t i = 0; i <= op.string_count() && i < 100; ++i) sum = sum + std::strlen(op.string(i));
    for (std::uint32_t i = 0; i < op.data_size(); ++i) sum = sum + op.data()[i];
  }
  return 0;
}
