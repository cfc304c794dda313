// ShardLog: a SparseLog (core/base/sparse_log.h) that takes its time from a shard and writes its
// sums by a timer of that shard: the first occurrence of a subject is a line at once, further ones
// are one line for each reason and minute. One for each part of a shard that logs what repeats;
// used on the shard's thread only. The timer is armed only while something is remembered. When it
// is destroyed it writes what it has counted; the reactor must outlive it.
#pragma once

#include <string_view>
#include <utility>

#include "core/base/sparse_log.h"
#include "core/runtime/reactor.h"
#include "core/runtime/timer_set.h"

namespace core {

class ShardLog {
  public:
    explicit ShardLog(Reactor& reactor, SparseLogOptions options = {},
                      SparseLog::Sink sink = log_write)
        : reactor_(reactor), log_(options, std::move(sink)) {}
    ShardLog(const ShardLog&) = delete;
    ShardLog& operator=(const ShardLog&) = delete;
    ~ShardLog() {
        if (timer_.armed()) reactor_.timers().disarm(timer_);
        log_.close(reactor_.now());
    }

    // reason: words of ours; subject: an address, a site; detail: why.
    void note(LogLevel level, std::string_view reason, std::string_view subject,
              std::string_view detail = {}) {
        log_.note(reactor_.now(), level, reason, subject, detail);
        if (!timer_.armed()) reactor_.timers().arm(timer_, log_.due());
    }

  private:
    class SweepTimer final : public Timer {
      public:
        explicit SweepTimer(ShardLog& log) : log_(log) {}
        void expire() override { log_.sweep(); }

      private:
        ShardLog& log_;
    };

    void sweep() {
        log_.sweep(reactor_.now());
        if (log_.due() != kNever) reactor_.timers().arm(timer_, log_.due());
    }

    Reactor& reactor_;
    SparseLog log_;
    SweepTimer timer_{*this};
};

}  // namespace core
