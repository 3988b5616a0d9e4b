// CRIU at work: its program, executed as a worker for one request, and asked over a socket (criu(8), "swrk").
// Its log is told from when something fails: criu itself says little.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/core/unique_fd.h"
#include "base/error.h"
#include "bundle/criu_message.h"

namespace fermata::bundle {

// What CRIU tells of on the way ("setup-namespaces", "post-restore"), with the process that it is about, and
// a descriptor where there is one ("orphan-pts-master"). An error ends the request.
using CriuNotice = std::function<Result<void>(const std::string& script, int pid, UniqueFd descriptor)>;

// Asked several times a second while CRIU works. An error: nobody waits any more. CRIU then ends by itself,
// in order, at the next thing that it writes; it must ignore SIGXFSZ for this.
using CriuPatience = std::function<Result<void>()>;

inline constexpr int kFirstCriuDescriptor = 4;

// One worker, for one request. It is killed when this object ends before it does.
class Criu {
 public:
  // Runs `enter` in the child before CRIU is executed: its control group, its mounts. `descriptors`
  // (borrowed) become 4, 5, ... of CRIU.
  static Result<Criu> start(const std::function<Result<void>()>& enter, const std::vector<int>& descriptors);
  Criu(Criu&& other) noexcept;
  Criu& operator=(Criu&&) = delete;
  ~Criu();

  // A directory among the mounts that CRIU sees: it can mount nothing on one of another mount namespace.
  Result<UniqueFd> open_directory(const std::string& path) const;
  // Returns what was answered to the request, when it was a success. `log`: path of what CRIU writes.
  Result<CriuAnswer> ask(CriuType type, const CriuOptions& options, const std::string& log,
                         const CriuNotice& notice, const CriuPatience& patience = nullptr);

 private:
  // Until there is something to hear. What ends the patience is put into `refused`, once.
  Result<void> wait_for_word(const CriuPatience& patience, std::optional<Error>* refused) const;
  Criu(int pid, UniqueFd socket) : pid_(pid), socket_(std::move(socket)) {}
  int pid_;
  UniqueFd socket_;
};

// Of ask(): the error names the log as well.
Error with_log(Error error, const std::string& log);

// Whether it is there and knows this kernel: `criu check`, with what it says when it does not.
Result<void> check_criu();

}  // namespace fermata::bundle
