// Worker: a connection as the pool of its path sees it: it opens, works, idles, and can be told to
// go on or to end. Owned by its task; lives on the shard of its path. The pool alone changes its
// stage.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dns/mx.h"

namespace relay {

// Where a connection goes for recipients that were refused, and may not be elsewhere.
struct Detour {
    std::vector<std::string> avoided{};            // endpoints
    std::optional<dns::AddressFamilies> family{};  // nothing but addresses of this one
};

class Worker {
  public:
    enum class Stage : std::uint8_t {
        opening,  // looks for a host and makes a session with it
        busy,     // has work, or asks for some
        idle,     // waits for work
        woken,    // was idle; asks for work in a later turn
    };

    explicit Worker(std::optional<Detour> detour) : detour_(std::move(detour)) {}
    Worker(const Worker&) = delete;
    Worker& operator=(const Worker&) = delete;
    virtual ~Worker() = default;

    virtual void wake() = 0;    // it is idle and there is work
    virtual void retire() = 0;  // its place is needed: it ends after what it has begun
    virtual void abort() = 0;   // it ends at once; what is in flight counts as a lost connection
    // Of its session: host:port (empty: there is none yet), and how many messages it carried.
    virtual const std::string& endpoint() const = 0;
    virtual std::size_t completed() const = 0;

    Stage stage() const { return stage_; }
    const Detour* detour() const { return detour_ ? &*detour_ : nullptr; }

  private:
    friend class ConnectionPool;
    const std::optional<Detour> detour_;
    Stage stage_ = Stage::opening;
};

}  // namespace relay
