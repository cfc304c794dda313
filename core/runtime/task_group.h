// TaskGroup: owns running tasks; the whole shutdown story. spawn() starts a task in the loop's next
// step; close() refuses new ones and waits until all have finished. A group must be closed (or have
// never run anything) when it dies. Asking tasks to end is the owner's business: abort their
// streams or set the event that they wait on, then await close(). One shard.
#pragma once

#include <coroutine>
#include <cstddef>

#include "core/base/assert.h"
#include "core/runtime/event.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"

namespace core {

class TaskGroup {
  public:
    explicit TaskGroup(Reactor& reactor) : reactor_(reactor), empty_(reactor) {}
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    ~TaskGroup() { PH_ASSERT(running_ == 0); }

    // False, and the task is dropped unstarted, once the group is closing.
    bool spawn(Task<void> task) {
        if (closing_) return false;
        ++running_;
        Root root = run_root(*this, std::move(task));
        reactor_.schedule(root.handle);
        return true;
    }

    Task<void> close() {
        closing_ = true;
        while (running_ > 0)
            co_await empty_.wait();
    }

    std::size_t running() const { return running_; }
    bool closing() const { return closing_; }

  private:
    // The bottom frame of a spawned task: frees itself at its end.
    struct Root {
        struct promise_type {
            Root get_return_object() {
                return {std::coroutine_handle<promise_type>::from_promise(*this)};
            }
            std::suspend_always initial_suspend() noexcept { return {}; }
            std::suspend_never final_suspend() noexcept { return {}; }
            void return_void() noexcept {}
            [[noreturn]] void unhandled_exception() noexcept { std::terminate(); }
        };
        std::coroutine_handle<promise_type> handle;
    };

    static Root run_root(TaskGroup& group, Task<void> task) {
        {
            Task<void> owned = std::move(task);
            co_await owned;
        }
        group.finished();
    }

    void finished() {
        PH_ASSERT(running_ > 0);
        if (--running_ == 0) empty_.notify_all();
    }

    Reactor& reactor_;
    Event empty_;
    std::size_t running_ = 0;
    bool closing_ = false;
};

}  // namespace core
