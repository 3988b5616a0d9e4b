#include <fmt/format.h>

#include <algorithm>

#include "cli/template.h"
#include "cli/template_functions.h"
#include "cli/template_tree.h"

namespace fermata::cli {
namespace tmpl {
namespace {

// A format is the user's own, but a nested range over large lists must end some time.
constexpr std::size_t kMaxSteps = 10'000'000;
constexpr std::size_t kMaxOutput = 256u << 20;

class Evaluator {
 public:
  Evaluator(const Value& root, bool header) : header_(header) { variables_.emplace_back("$", root); }

  Result<std::string> run(const Tree& tree) {
    TRY(walk(tree.nodes, Value(variables_[0].second)));
    return std::move(out_);
  }

 private:
  enum class Flow { next, break_, continue_ };

  Result<Flow> walk(const std::vector<Node>& nodes, const Value& dot) {
    for (const Node& node : nodes) {
      if (++steps_ > kMaxSteps || out_.size() > kMaxOutput)
        return fail(ErrorKind::invalid_argument, "template: : exceeded the maximum amount of work");
      TRY(const Flow flow, walk_one(node, dot));
      if (flow != Flow::next) return flow;
    }
    return Flow::next;
  }

  Result<Flow> walk_one(const Node& node, const Value& dot) {
    switch (node.kind) {
      case Node::Kind::text:
        out_ += node.text;
        return Flow::next;
      case Node::Kind::break_:
        return Flow::break_;
      case Node::Kind::continue_:
        return Flow::continue_;
      case Node::Kind::range:
        return range(node, dot);
      case Node::Kind::action: {
        TRY(const Value value, pipeline(node.pipeline, dot));
        if (node.pipeline.variables.empty()) out_ += value.print();
        return Flow::next;
      }
      case Node::Kind::if_:
      case Node::Kind::with:
        break;
    }
    const std::size_t scope = variables_.size();
    TRY(const Value value, pipeline(node.pipeline, dot));
    const bool with = node.kind == Node::Kind::with;
    auto flow = value.truth() ? walk(node.body, with ? value : dot) : walk(node.otherwise, dot);
    variables_.resize(scope);
    return flow;
  }

  Result<Flow> range(const Node& node, const Value& dot) {
    const std::size_t scope = variables_.size();
    Pipeline bare;  // the variables are set per turn
    TRY(const Value value, evaluate(node.pipeline, dot));
    std::vector<std::pair<Value, Value>> turns;
    if (const auto* items = value.list()) {
      for (std::size_t i = 0; i < items->size(); ++i)
        turns.emplace_back(Value(static_cast<std::int64_t>(i)), (*items)[i]);
    } else if (const auto* members = value.members()) {
      for (const auto& [key, item] : *members)
        if (item.callable() == nullptr) turns.emplace_back(Value(key), item);
      // Go visits a map in the order of its keys.
      std::sort(turns.begin(), turns.end(),
                [](const auto& a, const auto& b) { return *a.first.text() < *b.first.text(); });
    } else if (!value.is_null()) {
      return at(node.pipeline.commands[0].operands[0],
                fmt::format("range can't iterate over {}", value.print()));
    }
    if (turns.empty()) {
      auto flow = walk(node.otherwise, dot);
      variables_.resize(scope);
      return flow;
    }
    for (const auto& [key, item] : turns) {
      bind_turn(node.pipeline, key, item);
      auto flow = walk(node.body, item);
      variables_.resize(scope);
      if (!flow) return flow;
      if (*flow == Flow::break_) break;
    }
    return Flow::next;
  }

  void bind_turn(const Pipeline& pipeline, const Value& key, const Value& item) {
    const auto& names = pipeline.variables;
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Value& value = names.size() == 2 && i == 0 ? key : item;
      if (pipeline.assign) {
        set(names[i], value);
      } else {
        variables_.emplace_back(names[i], value);
      }
    }
  }

  void set(const std::string& name, const Value& value) {
    for (auto entry = variables_.rbegin(); entry != variables_.rend(); ++entry) {
      if (entry->first != name) continue;
      entry->second = value;
      return;
    }
  }

  Result<Value> pipeline(const Pipeline& pipeline, const Value& dot) {
    TRY(Value value, evaluate(pipeline, dot));
    for (const std::string& name : pipeline.variables) {
      if (pipeline.assign) {
        set(name, value);
      } else {
        variables_.emplace_back(name, value);
      }
    }
    return value;
  }

  Result<Value> evaluate(const Pipeline& pipeline, const Value& dot) {
    Value value;
    for (std::size_t i = 0; i < pipeline.commands.size(); ++i) {
      TRY(value, command(pipeline.commands[i], dot, i == 0 ? nullptr : &value));
    }
    return value;
  }

  // `piped`: the result of the command before, which becomes the last argument.
  Result<Value> command(const Command& command, const Value& dot, const Value* piped) {
    const Operand& first = command.operands[0];
    if (first.kind == Operand::Kind::function) {
      // and, or stop at the first operand that decides (Go 1.18).
      std::vector<Value> arguments;
      for (std::size_t i = 1; i < command.operands.size(); ++i) {
        TRY(Value argument, operand(command.operands[i], dot));
        arguments.push_back(std::move(argument));
        if ((first.name == "and" && !arguments.back().truth()) ||
            (first.name == "or" && arguments.back().truth()))
          return arguments.back();
      }
      if (piped != nullptr) arguments.push_back(*piped);
      auto result = call_function(first.name, arguments, header_);
      if (!result)
        return at(first, fmt::format("error calling {}: {}", first.name, result.error().message()));
      return result;
    }
    TRY(Value value, operand(first, dot));
    if (value.callable() != nullptr) {
      Value::List arguments;
      for (std::size_t i = 1; i < command.operands.size(); ++i) {
        TRY(Value argument, operand(command.operands[i], dot));
        arguments.push_back(std::move(argument));
      }
      if (piped != nullptr) arguments.push_back(*piped);
      auto result = (*value.callable())(arguments);
      if (!result) return at(first, result.error().message());
      return result;
    }
    if (command.operands.size() > 1 || piped != nullptr)
      return at(first, fmt::format("{} has arguments but cannot be invoked as function", first.source));
    return value;
  }

  Result<Value> operand(const Operand& operand, const Value& dot) {
    Value value = dot;
    switch (operand.kind) {
      case Operand::Kind::literal:
        return operand.literal;
      case Operand::Kind::dot:
        break;
      case Operand::Kind::variable:
        for (const auto& [name, held] : variables_)
          if (name == operand.name) value = held;  // the innermost is the last
        break;
      case Operand::Kind::function: {
        auto result = call_function(operand.name, {}, header_);
        if (!result)
          return at(operand, fmt::format("error calling {}: {}", operand.name, result.error().message()));
        return result;
      }
      case Operand::Kind::pipeline: {
        TRY(value, evaluate(*operand.pipeline, dot));
        break;
      }
    }
    for (const std::string& field : operand.fields) {
      const Value* member = value.find(field);
      if (member == nullptr && value.absent() == nullptr) return at(operand, missing(value, field));
      value = member == nullptr ? Value() : Value(*member);
    }
    return value;
  }

  static std::string missing(const Value& value, const std::string& field) {
    if (value.members() != nullptr) return fmt::format("map has no entry for key \"{}\"", field);
    if (value.is_null()) return fmt::format("nil data; no entry for key \"{}\"", field);
    return fmt::format("can't evaluate field {} in type {}", field, value.kind());
  }

  static tl::unexpected<Error> at(const Operand& operand, std::string_view why) {
    return fail(ErrorKind::invalid_argument, "template: :{}:{}: executing \"\" at <{}>: {}", operand.line,
                operand.column, operand.source, why);
  }

  bool header_;
  std::vector<std::pair<std::string, Value>> variables_;
  std::string out_;
  std::size_t steps_ = 0;
};

}  // namespace
}  // namespace tmpl

Result<std::string> Template::execute(const Value& root, bool header) const {
  return tmpl::Evaluator(root, header).run(*tree_);
}

}  // namespace fermata::cli
