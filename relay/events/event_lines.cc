#include "relay/events/event_lines.h"

#include <utility>

#include "core/base/assert.h"
#include "relay/events/event_text.h"

namespace relay {

EventLines::~EventLines() {
    PH_ASSERT(batch_.records == 0);
}

void EventLines::take(const Event& event) {
    append_event(batch_.lines, event);
    ++batch_.records;
    if (batch_.lines.size() >= kFlushAt) {
        flush();
    } else if (!timer_.armed()) {
        reactor_.timers().arm(timer_, reactor_.now() + kFlushAfter);
    }
}

void EventLines::flush() {
    if (timer_.armed()) reactor_.timers().disarm(timer_);
    if (batch_.records == 0) return;
    const bool full = batch_.lines.size() >= kFlushAt;
    sink_.take(std::exchange(batch_, {}));
    if (full) batch_.lines.reserve(kFlushAt + 2048);  // busy: the next will fill up as well
}

}  // namespace relay
