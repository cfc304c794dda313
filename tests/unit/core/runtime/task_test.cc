// Canaries: what compilers have got wrong in coroutines, and what our code relies on.
#include "core/runtime/task.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/sim/sim_world.h"

namespace core {
namespace {

struct Counts {
    int made = 0;
    int gone = 0;
};

class Canary {
  public:
    explicit Canary(Counts& counts) : counts_(&counts) { ++counts_->made; }
    Canary(const Canary& other) : counts_(other.counts_) { ++counts_->made; }
    Canary(Canary&& other) noexcept : counts_(other.counts_) { ++counts_->made; }
    Canary& operator=(const Canary&) = delete;
    Canary& operator=(Canary&&) = delete;
    ~Canary() { ++counts_->gone; }

  private:
    Counts* counts_;
};

// Runs a task to its end on a shard of a simulation.
void run(Task<void> task) {
    sim::SimWorld world{1};
    ASSERT_TRUE(world.run(world.shard(), std::move(task)));
}

Task<int> use(Canary /*by_value*/, std::string text) {
    co_return static_cast<int>(text.size());
}

Task<void> temporaries_in_one_expression(Counts& counts, int& total) {
    total += co_await use(Canary(counts), std::string(100, 'x'));
    total += co_await use(Canary(counts), "short") + co_await use(Canary(counts), "");
}

TEST(Task, temporaries_of_an_awaiting_expression_die_once) {
    Counts counts;
    int total = 0;
    run(temporaries_in_one_expression(counts, total));
    EXPECT_EQ(total, 105);
    EXPECT_GE(counts.made, 3);
    EXPECT_EQ(counts.made, counts.gone);
}

Task<std::unique_ptr<Canary>> make(Counts& counts) {
    co_return std::make_unique<Canary>(counts);
}

Task<void> move_only_result(Counts& counts, bool& alive) {
    const auto canary = co_await make(counts);
    alive = canary != nullptr && counts.made - counts.gone == 1;
}

TEST(Task, returns_move_only_values) {
    Counts counts;
    bool alive = false;
    run(move_only_result(counts, alive));
    EXPECT_TRUE(alive);
    EXPECT_EQ(counts.made, counts.gone);
}

TEST(Task, never_started_releases_its_parameters_and_runs_nothing) {
    Counts counts;
    {
        const Task<int> task = use(Canary(counts), "x");
        EXPECT_GT(counts.made, counts.gone);
    }
    EXPECT_EQ(counts.made, counts.gone);
}

struct Note {
    std::vector<std::string>& log;
    std::string name;
    ~Note() { log.push_back("~" + name); }
};

Task<void> inner(std::vector<std::string>& log) {
    const Note first{log, "inner 1"};
    const Note second{log, "inner 2"};
    log.push_back("inner");
    co_return;
}

Task<void> outer(std::vector<std::string>& log) {
    const Note local{log, "outer"};
    co_await inner(log);
    log.push_back("between");
}

TEST(Task, locals_die_in_reverse_order_before_the_awaiter_goes_on) {
    std::vector<std::string> log;
    run(outer(log));
    EXPECT_EQ(log,
              (std::vector<std::string>{"inner", "~inner 2", "~inner 1", "between", "~outer"}));
}

Task<std::uintptr_t> stack_here() {
    co_return reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
}

Task<void> await_often(Reactor& reactor, int times, std::uintptr_t& spread) {
    reactor.excuse_step();
    std::uintptr_t low = UINTPTR_MAX;
    std::uintptr_t high = 0;
    for (int i = 0; i < times; ++i) {
        const std::uintptr_t here = co_await stack_here();
        low = std::min(low, here);
        high = std::max(high, here);
    }
    spread = high - low;
}

TEST(Task, a_million_awaits_need_no_stack) {
    std::uintptr_t spread = UINTPTR_MAX;
    sim::SimWorld world{1};
    Shard& shard = world.shard();
    ASSERT_TRUE(world.run(shard, await_often(shard.reactor(), 1'000'000, spread)));
    EXPECT_LT(spread, 4096U);
}

Task<int> depth(int levels) {
    if (levels == 0) co_return 0;
    co_return 1 + co_await depth(levels - 1);
}

Task<void> measure_depth(int levels, int& result) {
    result = co_await depth(levels);
}

TEST(Task, nests_deeply_and_unwinds_without_stack) {
    int result = 0;
    run(measure_depth(100'000, result));
    EXPECT_EQ(result, 100'000);
}

Task<std::string> text_of(std::string_view view) {
    co_return std::string(view);
}

Task<void> branches(bool flag, std::string& result) {
    result = flag ? co_await text_of("yes") : co_await text_of("no");
    if (const std::string more = co_await text_of("!"); !more.empty()) result += more;
}

TEST(Task, awaits_in_conditions_and_branches) {
    std::string result;
    run(branches(true, result));
    EXPECT_EQ(result, "yes!");
    run(branches(false, result));
    EXPECT_EQ(result, "no!");
}

}  // namespace
}  // namespace core
