#include "init/plan_view.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace fermata::init {
namespace {

// A plan of one operation, in aligned memory, to be damaged.
class OnePlan {
 public:
  OnePlan(const std::string& data, const std::string& strings, std::uint16_t string_count) {
    OpHeader op = {};
    op.op = static_cast<std::uint16_t>(Op::execute);
    op.string_count = string_count;
    op.slot = 3;
    op.a = 7;
    op.data_size = static_cast<std::uint32_t>(data.size());
    op.strings_size = static_cast<std::uint32_t>(strings.size());
    const auto pad = [](std::size_t size) { return (size + 7) / 8 * 8; };
    op.size = static_cast<std::uint32_t>(sizeof op + pad(data.size()) + pad(strings.size()));
    const PlanHeader header = {kPlanMagic, kPlanVersion, static_cast<std::uint32_t>(sizeof header + op.size),
                               1};
    words_.resize(header.size / 8);
    std::memcpy(bytes(), &header, sizeof header);
    std::memcpy(bytes() + sizeof header, &op, sizeof op);
    std::memcpy(bytes() + sizeof header + sizeof op, data.data(), data.size());
    std::memcpy(bytes() + sizeof header + sizeof op + pad(data.size()), strings.data(), strings.size());
  }
  char* bytes() { return reinterpret_cast<char*>(words_.data()); }
  std::size_t size() const { return words_.size() * 8; }
  PlanHeader* header() { return reinterpret_cast<PlanHeader*>(bytes()); }
  OpHeader* op() { return reinterpret_cast<OpHeader*>(bytes() + sizeof(PlanHeader)); }
  PlanView::Next first() {
    PlanView plan;
    if (!plan.open(bytes(), size())) return PlanView::Next::malformed;
    return plan.next(&view);
  }
  OpView view;

 private:
  std::vector<std::uint64_t> words_;
};

const std::string kStrings("one\0\0three\0", 11);

TEST(PlanView, ReadsFieldsDataAndStrings) {
  OnePlan plan("12345", kStrings, 3);
  PlanView view;
  ASSERT_TRUE(view.open(plan.bytes(), plan.size()));
  OpView op;
  ASSERT_EQ(view.next(&op), PlanView::Next::op);
  EXPECT_EQ(view.index(), 0u);
  EXPECT_EQ(op.op(), Op::execute);
  EXPECT_EQ(op.slot(), 3);
  EXPECT_EQ(op.a(), 7u);
  EXPECT_EQ(std::memcmp(op.data(), "12345", op.data_size()), 0);
  EXPECT_STREQ(op.string(0), "one");
  EXPECT_STREQ(op.string(1), "");
  EXPECT_STREQ(op.string(2), "three");
  EXPECT_STREQ(op.string(3), "");
  EXPECT_EQ(view.next(&op), PlanView::Next::end);
}

TEST(PlanView, RefusesForeignHeaders) {
  OnePlan plan("", "", 0);
  PlanView view;
  EXPECT_FALSE(view.open(plan.bytes(), 3));
  plan.header()->version = kPlanVersion + 1;
  EXPECT_FALSE(view.open(plan.bytes(), plan.size()));
  plan.header()->version = kPlanVersion;
  plan.header()->size += 8;
  EXPECT_FALSE(view.open(plan.bytes(), plan.size()));
  plan.header()->size = 4;
  EXPECT_FALSE(view.open(plan.bytes(), plan.size()));
}

TEST(PlanView, RefusesSizesThatDoNotFit) {
  OnePlan plan("12345", kStrings, 3);
  plan.op()->data_size = 0xffffffff;
  EXPECT_EQ(plan.first(), PlanView::Next::malformed);
  plan.op()->data_size = 5;
  plan.op()->strings_size = 0xfffffff0;
  EXPECT_EQ(plan.first(), PlanView::Next::malformed);
  plan.op()->strings_size = 11;
  plan.op()->size = 0;
  EXPECT_EQ(plan.first(), PlanView::Next::malformed);
}

TEST(PlanView, RefusesStringsWithoutEnd) {
  OnePlan unterminated("", "abcdefgh", 1);
  EXPECT_EQ(unterminated.first(), PlanView::Next::malformed);
  OnePlan miscounted("", kStrings, 4);
  EXPECT_EQ(miscounted.first(), PlanView::Next::malformed);
}

TEST(PlanView, RefusesMoreOperationsThanThereAre) {
  OnePlan plan("", "", 0);
  plan.header()->op_count = 2;
  PlanView view;
  OpView op;
  ASSERT_TRUE(view.open(plan.bytes(), plan.size()));
  EXPECT_EQ(view.next(&op), PlanView::Next::op);
  EXPECT_EQ(view.next(&op), PlanView::Next::malformed);
}

}  // namespace
}  // namespace fermata::init
