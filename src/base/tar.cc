#include "base/tar.h"

#include <fmt/format.h>

#include <algorithm>

namespace fermata {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// The fields of a ustar header: where each begins, and its bytes.
struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kTime{136, 12},
    kSum{148, 8}, kType{156, 1}, kTarget{157, 100}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8};
constexpr char kExtended = 'x';

void put(std::string& header, Field field, std::string_view text) {
  text = text.substr(0, field.size);
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(field.at));
}

// Octal digits and a NUL.
bool fits(Field field, std::uint64_t number) { return number >> (3 * (field.size - 1)) == 0; }

void put(std::string& header, Field field, std::uint64_t number) {
  put(header, field, fmt::format("{:0{}o}", fits(field, number) ? number : 0, field.size - 1));
}

std::string block_of(const TarMember& member, char type) {
  std::string header(kTarBlock, '\0');
  put(header, kName, member.name);
  put(header, kMode, std::uint64_t{member.mode});
  put(header, kUid, member.uid);
  put(header, kGid, member.gid);
  put(header, kSize, member.size);
  put(header, kTime, static_cast<std::uint64_t>(std::max<std::int64_t>(member.modified, 0) / kSecond));
  put(header, kSum, "        ");  // counts as blanks
  put(header, kType, std::string_view(&type, 1));
  put(header, kTarget, member.target);
  put(header, kMagic, std::string_view("ustar\00000", 8));
  put(header, kMajor, std::uint64_t{member.major});
  put(header, kMinor, std::uint64_t{member.minor});
  std::uint64_t sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(header, kSum, fmt::format("{:06o}", sum) + std::string("\0 ", 2));
  return header;
}

// "<length> <key>=<value>\n", where the length counts its own digits.
void put_record(std::string& records, std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (fmt::formatted_size("{}", length) + rest != length)
    length = fmt::formatted_size("{}", length) + rest;
  records += fmt::format("{} {}=", length, key);
  records += value;
  records += '\n';
}

std::string time_text(std::int64_t ns) {
  const std::int64_t size = ns < 0 ? -ns : ns;
  return fmt::format("{}{}.{:09}", ns < 0 ? "-" : "", size / kSecond, size % kSecond);
}

std::string records_of(const TarMember& member) {
  std::string records;
  if (member.name.size() > kName.size) put_record(records, "path", member.name);
  if (member.target.size() > kTarget.size) put_record(records, "linkpath", member.target);
  if (!fits(kUid, member.uid)) put_record(records, "uid", fmt::format("{}", member.uid));
  if (!fits(kGid, member.gid)) put_record(records, "gid", fmt::format("{}", member.gid));
  if (!fits(kSize, member.size)) put_record(records, "size", fmt::format("{}", member.size));
  if (member.modified < 0 || member.modified % kSecond != 0)
    put_record(records, "mtime", time_text(member.modified));
  for (const auto& [name, value] : member.attributes) put_record(records, "SCHILY.xattr." + name, value);
  return records;
}

}  // namespace

std::string tar_header(const TarMember& member) {
  std::string bytes;
  if (const std::string records = records_of(member); !records.empty()) {
    bytes = block_of(
        {.name = "PaxHeaders/" + member.name.substr(0, 80), .mode = 0644, .size = records.size()}, kExtended);
    bytes += records + tar_padding(records.size());
  }
  return bytes + block_of(member, static_cast<char>(member.type));
}

std::string tar_padding(std::uint64_t size) {
  return std::string((kTarBlock - size % kTarBlock) % kTarBlock, '\0');
}

std::string tar_end() { return std::string(2 * kTarBlock, '\0'); }

}  // namespace fermata
