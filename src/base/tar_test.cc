#include "base/tar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace fermata {
namespace {

using testing::HasSubstr;

// What a C reader sees at this place.
std::string field(const std::string& header, std::size_t at) { return header.c_str() + at; }

std::uint64_t sum_of(std::string header) {
  header.replace(148, 8, 8, ' ');
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  return sum;
}

TEST(TarTest, AnOrdinaryFileHasOneBlock) {
  const std::string header = tar_header({.name = "etc/hosts",
                                         .mode = 0640,
                                         .uid = 1000,
                                         .gid = 5,
                                         .size = 511,
                                         .modified = 1'700'000'000'000'000'000});
  ASSERT_EQ(header.size(), kTarBlock);
  EXPECT_EQ(field(header, 0), "etc/hosts");
  EXPECT_EQ(field(header, 100), "0000640");
  EXPECT_EQ(field(header, 108), "0001750");
  EXPECT_EQ(field(header, 116), "0000005");
  EXPECT_EQ(field(header, 124), "00000000777");
  EXPECT_EQ(field(header, 136), "14524770400");
  EXPECT_EQ(header[156], '0');
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(std::stoull(field(header, 148), nullptr, 8), sum_of(header));
  EXPECT_EQ(tar_padding(511).size(), 1u);
  EXPECT_EQ(tar_padding(512).size(), 0u);
  EXPECT_EQ(tar_padding(0).size(), 0u);
  EXPECT_EQ(tar_padding(513).size(), 511u);
}

TEST(TarTest, OthersHaveTheirTypes) {
  EXPECT_EQ(tar_header({.name = "d/", .type = TarMember::Type::directory})[156], '5');
  const std::string link = tar_header({.name = "l", .type = TarMember::Type::symlink, .target = "../x"});
  EXPECT_EQ(link[156], '2');
  EXPECT_EQ(field(link, 157), "../x");
  const std::string device =
      tar_header({.name = "n", .type = TarMember::Type::character_device, .major = 1, .minor = 9});
  EXPECT_EQ(field(device, 329), "0000001");
  EXPECT_EQ(field(device, 337), "0000011");
}

TEST(TarTest, WhatHasNoRoomStandsBefore) {
  const std::string name(150, 'n');
  const std::string header = tar_header({.name = name,
                                         .uid = 0xffffffff,
                                         .size = 1ull << 40,
                                         .modified = 1'500'000'000,
                                         .attributes = {{"security.capability", std::string("\1\0\n", 3)}}});
  ASSERT_EQ(header.size(), 3 * kTarBlock);
  EXPECT_EQ(header[156], 'x');
  const std::uint64_t size = std::stoull(field(header, 124), nullptr, 8);
  const std::string records = header.substr(kTarBlock, size);
  EXPECT_THAT(records, HasSubstr("160 path=" + name + "\n"));
  EXPECT_THAT(records, HasSubstr("18 uid=4294967295\n"));
  EXPECT_THAT(records, HasSubstr("22 size=1099511627776\n"));
  EXPECT_THAT(records, HasSubstr("21 mtime=1.500000000\n"));
  EXPECT_THAT(records, HasSubstr(std::string("40 SCHILY.xattr.security.capability=\1\0\n\n", 40)));
  EXPECT_EQ(header[2 * kTarBlock + 156], '0');
  EXPECT_EQ(header.substr(2 * kTarBlock, 100), name.substr(0, 100));
}

// "99 path=...": with one digit more it would be a byte longer, which is another length.
TEST(TarTest, ARecordCountsItsOwnDigits) {
  for (std::size_t length = 101; length < 1100; ++length) {
    const std::string header = tar_header({.name = std::string(length, 'a')});
    const std::string records = header.substr(kTarBlock, std::stoull(field(header, 124), nullptr, 8));
    EXPECT_EQ(std::stoull(records), records.size()) << length;
  }
}

}  // namespace
}  // namespace fermata
