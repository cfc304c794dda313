#include "core/file/file.h"

#include <cerrno>

namespace core {

namespace {

class FileOperation final : public Operation {
  public:
    explicit FileOperation(Reactor& reactor) : reactor_(reactor) {}

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> handle) { handle_ = handle; }
    int await_resume() const noexcept { return result_; }

  private:
    void complete(const Completion& completion) override {
        result_ = completion.result;
        reactor_.schedule(handle_);
    }

    Reactor& reactor_;
    std::coroutine_handle<> handle_;
    int result_ = 0;
};

// start(octets, offset, operation) begins what moves some of them.
template <typename Octets, typename Start>
Task<IoResult<void>> move_all(Shard& shard, Octets octets, std::uint64_t offset, Start start) {
    while (!octets.empty()) {
        FileOperation operation(shard.reactor());
        start(octets, offset, operation);
        const int result = co_await operation;
        if (result == -EINTR || result == -EAGAIN) continue;
        if (result < 0) co_return io_error(-result);
        if (result == 0) co_return io_error(EIO);
        octets = octets.subspan(static_cast<std::size_t>(result));
        offset += static_cast<std::uint64_t>(result);
    }
    co_return IoResult<void>{};
}

}  // namespace

Task<IoResult<void>> read_fully(Shard& shard, Handle file, std::span<char> octets,
                                std::uint64_t offset) {
    return move_all(shard, octets, offset,
                    [&shard, file](std::span<char> rest, std::uint64_t at, Operation& operation) {
                        shard.io().start_read(file, rest, at, operation);
                    });
}

Task<IoResult<void>> write_fully(Shard& shard, Handle file, std::span<const char> octets,
                                 std::uint64_t offset, bool synced) {
    return move_all(
        shard, octets, offset,
        [&shard, file, synced](std::span<const char> rest, std::uint64_t at, Operation& operation) {
            shard.io().start_write(file, rest, at, synced, operation);
        });
}

Task<IoResult<void>> sync(Shard& shard, Handle file_or_directory) {
    FileOperation operation(shard.reactor());
    shard.io().start_sync(file_or_directory, operation);
    const int result = co_await operation;
    if (result < 0) co_return io_error(-result);
    co_return IoResult<void>{};
}

}  // namespace core
