// EventScene: what tests of events stand on, a reactor on virtual time without I/O. pass() lets
// time go by and runs what is due then.
#pragma once

#include <chrono>

#include <gtest/gtest.h>

#include "core/runtime/clock.h"
#include "core/runtime/reactor.h"

namespace relay_test {

class NoEvents final : public core::EventSource {
  public:
    void wait(core::Instant) override {}
    void wake() override {}
};

class EventScene : public testing::Test {
  protected:
    void pass(core::Duration time) {
        clock_.advance_to(clock_.now() + time);
        reactor_.turn(false);  // sees the time
        reactor_.turn(false);  // expires timers
    }

    core::VirtualClock clock_{core::WallTime(core::Duration(1'795'383'000'000'000'000))};
    NoEvents source_;
    core::Reactor reactor_{clock_, source_};
};

}  // namespace relay_test
