#include "cdi/yaml_document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>
#include <utility>
#include <vector>

#include "base/text.h"

namespace fermata::cdi {
namespace {

using oci::Json;

constexpr std::size_t kMaxBytes = 1u << 20;
constexpr std::size_t kMaxDepth = 64;
constexpr std::size_t kMaxNodes = 100'000;
constexpr std::string_view kTooMany = "more than 100000 nodes";

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// A number without a sign, in the base that its prefix says.
std::optional<std::uint64_t> parse_magnitude(std::string_view text) {
  if (text.starts_with("0x")) return parse_unsigned(text.substr(2), 16);
  if (text.starts_with("0o")) return parse_unsigned(text.substr(2), 8);
  if (text.size() > 1 && text.front() == '0') return parse_unsigned(text.substr(1), 8);
  return parse_unsigned(text);
}

std::optional<Json> parse_number(std::string_view text) {
  if (const auto magnitude = parse_magnitude(text)) return Json(*magnitude);
  if (text.starts_with('-'))
    if (const auto number = parse_signed(text)) return Json(*number);
  // Words that std::from_chars knows, such as "nan", are text.
  if (text.find_first_of("0123456789") > 2) return std::nullopt;
  double real = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), real);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return Json(real);
}

Json plain_scalar(const std::string& text) {
  if (is_one_of(text, {"", "~", "null", "Null", "NULL"})) return nullptr;
  if (is_one_of(text, {"true", "True", "TRUE"})) return true;
  if (is_one_of(text, {"false", "False", "FALSE"})) return false;
  return parse_number(text).value_or(Json(text));
}

std::size_t count_nodes(const Json& json) {
  std::size_t count = 1;
  if (json.is_structured())
    for (const Json& item : json) count += count_nodes(item);
  return count;
}

// The parser's events to a tree. What is wrong is remembered, and all that follows it passed over: the parser
// itself cannot be stopped, but the text is bounded.
class Builder : public YAML::EventHandler {
 public:
  const std::string& fault() const { return fault_; }
  Json take() && { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { place(mark, nullptr, anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    // "?" is what a plain scalar has, "!" one in quotes.
    if (tag == "?" || tag.empty())
      return is_key() ? place(mark, value, anchor) : place(mark, plain_scalar(value), anchor);
    if (tag != "!" && tag != "tag:yaml.org,2002:str") return refuse(mark, fmt::format("the tag '{}'", tag));
    place(mark, value, anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (!fault_.empty()) return;
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) return refuse(mark, "an alias within what it stands for");
    // Before it is copied: few bytes can stand for very much.
    nodes_ += count_nodes(found->second);
    if (nodes_ > kMaxNodes) return refuse(mark, kTooMany);
    place(mark, found->second, YAML::NullAnchor);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Json::object());
  }
  void OnMapEnd() override { close(); }

 private:
  struct Frame {
    Json value;
    std::optional<std::string> key;  // of a mapping, while its value is awaited
    YAML::anchor_t anchor;
    YAML::Mark mark;
  };

  bool is_key() const { return !frames_.empty() && frames_.back().value.is_object() && !frames_.back().key; }

  void refuse(const YAML::Mark& mark, std::string_view what) {
    if (fault_.empty()) fault_ = fmt::format("{} at line {}", what, mark.line + 1);
  }

  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Json empty) {
    if (!is_one_of(tag, {"", "?", "!"})) refuse(mark, fmt::format("the tag '{}'", tag));
    if (is_key()) refuse(mark, "a key that is no text");
    if (frames_.size() == kMaxDepth) refuse(mark, fmt::format("more than {} levels", kMaxDepth));
    if (fault_.empty()) frames_.push_back({std::move(empty), std::nullopt, anchor, mark});
  }

  void close() {
    if (!fault_.empty()) return;
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    place(frame.mark, std::move(frame.value), frame.anchor);
  }

  void place(const YAML::Mark& mark, Json value, YAML::anchor_t anchor) {
    if (++nodes_ > kMaxNodes) refuse(mark, kTooMany);
    if (!fault_.empty()) return;
    if (anchor != YAML::NullAnchor) anchors_[anchor] = value;
    if (frames_.empty()) {
      root_ = std::move(value);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.value.is_array()) return frame.value.push_back(std::move(value));
    if (frame.key) {
      frame.value[*std::exchange(frame.key, std::nullopt)] = std::move(value);
      return;
    }
    if (!value.is_string()) return refuse(mark, "a key that is no text");
    frame.key = value.get<std::string>();
    if (frame.value.contains(*frame.key)) refuse(mark, fmt::format("a second '{}'", *frame.key));
  }

  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Json> anchors_;
  Json root_;
  std::size_t nodes_ = 0;
  std::string fault_;
};

}  // namespace

Result<Json> parse_bounded_yaml(std::string_view text, std::string_view what) {
  if (text.size() > kMaxBytes) return fail(ErrorKind::invalid_argument, "{}: larger than 1 MiB", what);
  Builder builder;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    if (builder.fault().empty() && parser.HandleNextDocument(builder))
      return fail(ErrorKind::invalid_argument, "{}: more than one YAML document", what);
  } catch (const YAML::Exception& error) {
    return fail(ErrorKind::invalid_argument, "{}: not YAML at line {}: {}", what, error.mark.line + 1,
                error.msg);
  }
  if (!builder.fault().empty()) return fail(ErrorKind::invalid_argument, "{}: {}", what, builder.fault());
  Json json = std::move(builder).take();
  if (!json.is_object()) return fail(ErrorKind::invalid_argument, "{}: not a YAML mapping", what);
  return json;
}

}  // namespace fermata::cdi
