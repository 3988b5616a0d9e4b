#include "init/plan_view.h"

namespace fermata::init {
namespace {

std::uint64_t padded(std::uint64_t size) { return (size + 7) & ~std::uint64_t{7}; }

// `count` strings, each with its NUL, fill `size` bytes exactly.
bool strings_fill(const char* strings, std::uint32_t size, std::uint32_t count) {
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < size; ++i) found += strings[i] == 0;
  return found == count && (size == 0 || strings[size - 1] == 0);
}

}  // namespace

const char* OpView::string(std::uint32_t index) const {
  if (index >= header_->string_count) return "";
  const char* at = strings_;
  for (; index > 0; --index) {
    while (*at != 0) ++at;
    ++at;
  }
  return at;
}

bool PlanView::open(const void* bytes, std::size_t size) {
  const auto* header = static_cast<const PlanHeader*>(bytes);
  if (size < sizeof *header || header->magic != kPlanMagic || header->version != kPlanVersion) return false;
  if (header->size < sizeof *header || header->size > size) return false;
  bytes_ = static_cast<const unsigned char*>(bytes);
  size_ = header->size;
  offset_ = sizeof *header;
  count_ = header->op_count;
  index_ = 0;
  return true;
}

PlanView::Next PlanView::next(OpView* view) {
  if (index_ == count_) return offset_ == size_ ? Next::end : Next::malformed;
  ++index_;
  const std::size_t left = size_ - offset_;
  if (left < sizeof(OpHeader)) return Next::malformed;
  const auto* header = reinterpret_cast<const OpHeader*>(bytes_ + offset_);
  // 64 bits: the sum of two 32-bit sizes must not wrap.
  const std::uint64_t wanted = sizeof *header + padded(header->data_size) + padded(header->strings_size);
  if (header->size != wanted || wanted > left) return Next::malformed;
  view->header_ = header;
  view->data_ = bytes_ + offset_ + sizeof *header;
  view->strings_ = reinterpret_cast<const char*>(view->data_ + padded(header->data_size));
  if (!strings_fill(view->strings_, header->strings_size, header->string_count)) return Next::malformed;
  offset_ += header->size;
  return Next::op;
}

}  // namespace fermata::init
