#include "cdi/names.h"

#include <gtest/gtest.h>

namespace fermata::cdi {
namespace {

TEST(CdiNames, AreSplit) {
  const auto name = parse_device_name("acme.example.com/gpu-x.1=0:1");
  ASSERT_TRUE(name);
  EXPECT_EQ(name->vendor, "acme.example.com");
  EXPECT_EQ(name->device_class, "gpu-x.1");
  EXPECT_EQ(name->device, "0:1");
  EXPECT_EQ(name->kind(), "acme.example.com/gpu-x.1");
}

TEST(CdiNames, OthersAreNone) {
  for (const char* text :
       {"", "/dev/null", "/dev/a=b", "gpu0", "acme.com/gpu", "acme.com=gpu", "acme.com/gpu=", "/gpu=0",
        "acme.com/=0", "1acme.com/gpu=0", "acme.com/9gpu=0", "acme.com/gpu/x=0", "acme.com./gpu=0",
        "acme.com/gpu=-a", "acme.com/gpu=a_", "acme.com/gpu=a b", "acme.com/g:x=0", "acme.com/gpu=a=b"})
    EXPECT_FALSE(parse_device_name(text)) << text;
}

TEST(CdiNames, HaveBounds) {
  EXPECT_TRUE(is_class(std::string(63, 'a')));
  EXPECT_FALSE(is_class(std::string(64, 'a')));
  EXPECT_TRUE(is_vendor(std::string(253, 'a')));
  EXPECT_FALSE(is_vendor(std::string(254, 'a')));
}

}  // namespace
}  // namespace fermata::cdi
