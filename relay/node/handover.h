// Handover: how a new process of a data directory gets the listening sockets of the one that runs
// there, so that no client is refused between the two. The running process listens at a socket of
// the file system, DATA_DIR/handover.sock. A new one (`posthaste serve --take-over`) connects,
// says kRequest, and gets kAnswer with the descriptors (SCM_RIGHTS, unix(7)). The old one then
// stops accepting, drains as after SIGTERM and ends; the connection ends with it, which is what the
// new one waits for before it opens the spool. Meanwhile connections wait in the sockets' backlog.
// Only a process of the same user, or of root, is answered. Shard 0's, on its thread.
// Limits: kMaxSockets; kRequestTime for the request, one connection at a time; kAnswerTime for the
// answer; kEndTime for the old process to end.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/io/awaited_poll.h"
#include "core/io/shard.h"
#include "core/net/listening_sockets.h"
#include "core/runtime/task.h"

namespace relay {

class Handover {
  public:
    static constexpr std::size_t kMaxSockets = 253;  // SCM_MAX_FD
    static constexpr core::Duration kRequestTime = std::chrono::seconds{1};
    static constexpr core::Duration kAnswerTime = std::chrono::seconds{5};
    static constexpr core::Duration kEndTime = std::chrono::seconds{120};
    static constexpr std::string_view kRequest = "posthaste: hand over 1\n";
    static constexpr std::string_view kAnswer = "posthaste: sockets 1\n";

    Handover(core::Shard& shard, const std::filesystem::path& data_dir,
             core::ListeningSockets& sockets);
    ~Handover();

    // A sentence when nobody can connect.
    core::Result<void> open();
    // Waits until the sockets were handed over (true), or for stop() (false).
    core::Task<bool> handed_over();
    void stop() { poll_.stop(); }

  private:
    bool answer(int connection);

    core::Shard& shard_;
    core::ListeningSockets& sockets_;
    const std::filesystem::path path_;
    int listener_ = -1;
    bool bound_ = false;  // the name at path_ is ours
    int successor_ = -1;  // kept open on purpose until the process ends
    core::AwaitedPoll poll_;
};

// The new process's side, before anything else of the data directory is opened: takes the sockets
// of the process that runs there and waits until it has ended. False: nobody runs there.
core::Result<bool> take_over(const std::filesystem::path& data_dir,
                             core::ListeningSockets& sockets);

}  // namespace relay
