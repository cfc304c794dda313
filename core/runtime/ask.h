// ask: a question to another shard, and its answer: `co_await shard.ask(to, call)` runs call() on
// that shard, in order with everything else sent there, and gives what it returned. A call that
// needs time returns a Task: it runs there in the group of answers (Mailroom::answers), and several
// questions are worked on at once. The question lies in the asker's frame: nothing is allocated for
// a call that answers at once. A shard that asks itself gets the answer without a letter.
// The answer always comes: a shard that drains answers as before, since loops run until all shards
// have ended. Once it has ended (Shard::stop_answering) the answer is empty and call() does not
// run. An asker cannot give up; it waits as long as call() takes.
// call() must be no coroutine that captures (a plain lambda that returns a function's task is).
#pragma once

#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/runtime/event.h"
#include "core/runtime/mailroom.h"
#include "core/runtime/reactor.h"
#include "core/runtime/task.h"
#include "core/runtime/task_group.h"

namespace core {

namespace detail {

template <typename Given>
struct AnswerIn {
    using Type = Given;
    static constexpr bool kTakesTime = false;
};
template <typename Given>
struct AnswerIn<Task<Given>> {
    using Type = Given;
    static constexpr bool kTakesTime = true;
};

}  // namespace detail

template <typename Call>
class Question {
    using Given = detail::AnswerIn<std::invoke_result_t<Call&>>;

  public:
    using Answer = typename Given::Type;

    Question(Mailroom& room, Reactor& reactor, std::size_t from, std::size_t to, Call call)
        : room_(room), from_(from), to_(to), call_(std::move(call)), answered_(reactor) {}

    // On the asker's shard. At most once.
    Task<std::optional<Answer>> put() {
        if (from_ == to_) {
            co_await work_out_here();
        } else {
            room_.post(from_, to_, Letter::of([this] { open(); }));
            co_await answered_.wait();
        }
        co_return std::move(answer_);
    }

  private:
    // On the shard that is asked, as all below.
    void open() {
        TaskGroup& answers = room_.answers(to_);
        if (answers.closing()) return give_back();
        if constexpr (Given::kTakesTime) {
            answers.spawn(work_out());
        } else {
            answer_.emplace(call_());
            give_back();
        }
    }
    Task<void> work_out() {
        co_await work_out_here();
        give_back();
    }
    Task<void> work_out_here() {
        if (room_.answers(to_).closing()) co_return;
        if constexpr (Given::kTakesTime) {
            answer_.emplace(co_await call_());
        } else {
            answer_.emplace(call_());
        }
    }
    // The question is the asker's again.
    void give_back() {
        room_.post(to_, from_, Letter::of([this] { answered_.set(); }));
    }

    Mailroom& room_;
    const std::size_t from_;
    const std::size_t to_;
    Call call_;
    std::optional<Answer> answer_;
    Event answered_;  // the asker's shard
};

template <typename Call>
Task<std::optional<typename Question<Call>::Answer>> ask(Mailroom& room, Reactor& reactor,
                                                         std::size_t from, std::size_t to,
                                                         Call call) {
    Question<Call> question(room, reactor, from, to, std::move(call));
    co_return co_await question.put();
}

}  // namespace core
