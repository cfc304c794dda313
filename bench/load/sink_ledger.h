// SinkLedger: the record of what a sink took responsibility for, one line per accepted recipient:
//   id <TAB> recipient <TAB> unix seconds <TAB> "acknowledged" or "unacknowledged"
// id is the message's X-Load-Id, else its first recipient and a number. Lines gather in memory and
// are written in one append when kFlushAt octets are there or flush() is called, so several shards
// share a file without mixing lines. A failed write ends the program: a ledger with holes is none.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"

namespace bench {

class SinkLedger {
  public:
    static constexpr std::size_t kFlushAt = 65536;

    SinkLedger() = default;
    SinkLedger(const SinkLedger&) = delete;
    SinkLedger& operator=(const SinkLedger&) = delete;
    ~SinkLedger();

    core::Result<void> open(const std::string& path);
    bool is_open() const { return fd_ >= 0; }
    void add(std::string_view id, std::string_view recipient, core::WallTime when,
             bool acknowledged);
    void flush();

  private:
    int fd_ = -1;
    std::string lines_;
};

}  // namespace bench
