// Reads a plan (init/plan.h) where it lies: no allocation, no copy, every size checked before it is used.
// The views point into the plan's bytes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "init/plan.h"

namespace fermata::init {

class OpView {
 public:
  Op op() const { return static_cast<Op>(header_->op); }
  std::int32_t slot() const { return header_->slot; }
  std::uint32_t flags() const { return header_->flags; }
  std::uint64_t a() const { return header_->a; }
  std::uint64_t b() const { return header_->b; }
  const unsigned char* data() const { return data_; }  // aligned to 8
  std::uint32_t data_size() const { return header_->data_size; }
  std::uint32_t string_count() const { return header_->string_count; }
  // "" when there is none of that number.
  const char* string(std::uint32_t index) const;
  // The strings one after the other, each with its NUL.
  const char* strings() const { return strings_; }

 private:
  friend class PlanView;
  const OpHeader* header_ = nullptr;
  const unsigned char* data_ = nullptr;
  const char* strings_ = nullptr;
};

class PlanView {
 public:
  enum class Next { op, end, malformed };

  // `bytes` must be aligned to 8 and outlive the view. false: no plan of this version.
  bool open(const void* bytes, std::size_t size);
  // The next operation, in order.
  Next next(OpView* view);
  // The number of the operation that next() gave last.
  std::uint32_t index() const { return index_ - 1; }

 private:
  const unsigned char* bytes_ = nullptr;
  std::size_t size_ = 0;
  std::size_t offset_ = 0;
  std::uint32_t count_ = 0;
  std::uint32_t index_ = 0;
};

}  // namespace fermata::init
