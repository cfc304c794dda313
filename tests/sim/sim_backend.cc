#include "tests/sim/sim_backend.h"

#include <algorithm>
#include <cstring>

namespace sim {

SimBackend::SimBackend(SimNetwork& network, BackendOptions options)
    : network_(network), options_(options), lent_(options.receive_buffers, false) {
    for (std::size_t i = 0; i < options_.receive_buffers; ++i) {
        buffers_.push_back(std::make_unique<char[]>(options_.receive_buffer_size));
        free_.push_back(static_cast<int>(i));
    }
}

SimBackend::~SimBackend() {
    PH_ASSERT(completions_.empty() && where_.empty() && file_operations_.empty());
}

void SimBackend::wait(core::Instant /*until*/) {
    ++stats_.enters;
    // Completions may start new operations: those wait for the next entry, as with a kernel.
    std::vector<Started> started;
    started.swap(started_);
    for (const Started& one : started)
        submit(one);
    std::deque<Pending> due;
    due.swap(completions_);
    for (const Pending& pending : due) {
        ++stats_.completed;
        if (!pending.completion.more && !SimDisk::is_file(pending.handle)) {
            where_.erase(pending.operation);
            --network_.end(pending.handle).in_flight;
        }
        network_.trace("complete", pending.handle, pending.completion.result);
        pending.operation->deliver(pending.completion);
    }
}

void SimBackend::submit(const Started& started) {
    if (SimDisk::is_file(started.handle)) return submit_file(*started.operation);
    SimNetwork::End& end = network_.end(started.handle);
    const core::Operation* operation = started.operation;
    if (end.accept.operation == operation) {
        network_.progress_accept(end);
    } else if (end.receive.operation == operation) {
        network_.progress_receive(end);
    } else if (end.connect.operation == operation) {
        network_.start_connect(started.handle);
    } else if (end.send.operation == operation) {
        // A kernel may look at the octets late: until then they must stay where they are.
        if (end.plan.ragged && network_.chance(4)) {
            const core::Handle handle = started.handle;
            const auto delay = std::chrono::microseconds{network_.prng_.below(3000)};
            network_.at(network_.clock_.now() + delay,
                        [&network = network_, handle] { network.progress_send(handle); });
        } else {
            network_.progress_send(started.handle);
        }
    }
}

SimNetwork::End& SimBackend::own(core::Handle handle) {
    SimNetwork::End& end = network_.end(handle);
    PH_ASSERT(end.backend == this);
    return end;
}

core::IoResult<core::Handle> SimBackend::listen(const core::SocketAddress& address,
                                                core::Sharing sharing) {
    return network_.listen(*this, address, sharing);
}

core::IoResult<core::Handle> SimBackend::open_socket(const core::SocketAddress& /*peer*/,
                                                     const core::SocketAddress* source) {
    if (source != nullptr && options_.lacks && options_.lacks(source->ip)) {
        return core::io_error(EADDRNOTAVAIL);
    }
    const core::Handle handle = network_.add_end(*this);
    SimNetwork::End& end = network_.end(handle);
    end.local = source != nullptr ? *source : core::SocketAddress{options_.address, 0};
    if (end.local.port == 0) end.local.port = ++network_.last_port_;
    return handle;
}

core::IoResult<core::SocketAddress> SimBackend::local_address(core::Handle handle) {
    return own(handle).local;
}

core::IoResult<core::SocketAddress> SimBackend::peer_address(core::Handle handle) {
    const SimNetwork::End& end = own(handle);
    if (!end.connected) return core::io_error(ENOTCONN);
    return end.peer;
}

void SimBackend::shutdown(core::Handle handle) {
    own(handle);
    network_.shutdown(handle);
}

void SimBackend::close(core::Handle handle, bool reset) {
    PH_ASSERT(own(handle).in_flight == 0);
    network_.close(handle, reset);
}

void SimBackend::start(SimNetwork::End& end, SimNetwork::Slot& slot, core::Operation& operation) {
    PH_ASSERT(slot.operation == nullptr);
    operation.started();
    slot = {&operation, false};
    ++end.in_flight;
    ++stats_.submitted;
    where_[&operation] = end.handle;
    started_.push_back({end.handle, &operation});
}

void SimBackend::start_accept(core::Handle listener, core::Operation& operation,
                              core::Shots shots) {
    SimNetwork::End& end = own(listener);
    end.accepting = shots;
    PH_ASSERT(end.listening);
    start(end, end.accept, operation);
}

void SimBackend::start_receive(core::Handle handle, core::Operation& operation, core::Intake most) {
    SimNetwork::End& end = own(handle);
    end.receiving = most;
    start(end, end.receive, operation);
}

void SimBackend::start_connect(core::Handle handle, const core::SocketAddress& peer,
                               core::Operation& operation) {
    SimNetwork::End& end = own(handle);
    end.target = peer;
    start(end, end.connect, operation);
}

void SimBackend::start_send(core::Handle handle, std::span<const iovec> parts,
                            core::Operation& operation) {
    SimNetwork::End& end = own(handle);
    ++stats_.sends;
    end.parts = parts;
    start(end, end.send, operation);
}

void SimBackend::start_poll(core::Handle handle, short /*events*/, core::Operation& operation) {
    SimNetwork::End& end = own(handle);
    start(end, end.poll, operation);
}

// ---- Files

void SimBackend::start_read(core::Handle file, std::span<char> octets, std::uint64_t offset,
                            core::Operation& operation) {
    start_file({DiskAction::read, file, offset, octets, {}, false}, operation);
}

void SimBackend::start_write(core::Handle file, std::span<const char> octets, std::uint64_t offset,
                             bool synced, core::Operation& operation) {
    start_file({DiskAction::write, file, offset, {}, octets, synced}, operation);
}

void SimBackend::start_sync(core::Handle file_or_directory, core::Operation& operation) {
    start_file({DiskAction::sync, file_or_directory, 0, {}, {}, false}, operation);
}

void SimBackend::start_file(const SimDisk::Transfer& transfer, core::Operation& operation) {
    PH_ASSERT(options_.disk != nullptr && SimDisk::is_file(transfer.handle));
    operation.started();
    ++stats_.submitted;
    file_operations_[&operation] = {transfer, 0};
    options_.disk->started(transfer);
    started_.push_back({transfer.handle, &operation});
}

void SimBackend::submit_file(core::Operation& operation) {
    const auto found = file_operations_.find(&operation);
    // Cancelled before it began, and its memory may be in use by another one.
    if (found == file_operations_.end() || found->second.ticket != 0) return;
    const SimDisk::Begun begun = options_.disk->begin(found->second.transfer);
    found->second.ticket = begun.ticket;
    network_.at(network_.clock_.now() + begun.takes,
                [this, which = &operation, ticket = begun.ticket] {
                    const auto current = file_operations_.find(which);
                    if (current == file_operations_.end() || current->second.ticket != ticket) {
                        return;  // cancelled
                    }
                    end_file(*which, options_.disk->finish(ticket));
                });
}

void SimBackend::end_file(core::Operation& operation, int result) {
    const auto node = file_operations_.extract(&operation);
    completions_.push_back({&operation, core::Completion{result, false, core::kNoBuffer},
                            node.mapped().transfer.handle});
}

void SimBackend::cancel(core::Operation& operation) {
    if (const auto file = file_operations_.find(&operation); file != file_operations_.end()) {
        const SimDisk::Ticket ticket = file->second.ticket;
        if (ticket == 0 || options_.disk->abandon(ticket)) end_file(operation, -ECANCELED);
        return;
    }
    const auto found = where_.find(&operation);
    if (found == where_.end()) return;
    network_.cancel(found->second, operation);
}

std::string_view SimBackend::buffer(int id, std::size_t length) const {
    PH_ASSERT(lent_.at(static_cast<std::size_t>(id)) && length <= options_.receive_buffer_size);
    return {buffers_[static_cast<std::size_t>(id)].get(), length};
}

void SimBackend::recycle(int id) {
    const auto index = static_cast<std::size_t>(id);
    PH_ASSERT(lent_.at(index));
    lent_[index] = false;
    std::memset(buffers_[index].get(), 0x7e, options_.receive_buffer_size);  // shows late readers
    free_.push_back(id);
}

int SimBackend::take_buffer(std::string_view octets) {
    PH_ASSERT(octets.size() <= options_.receive_buffer_size);
    if (free_.empty() || withheld_) return core::kNoBuffer;
    const int id = free_.front();
    free_.pop_front();
    lent_[static_cast<std::size_t>(id)] = true;
    std::memcpy(buffers_[static_cast<std::size_t>(id)].get(), octets.data(), octets.size());
    return id;
}

void SimBackend::complete(SimNetwork::End& end, core::Operation& operation,
                          core::Completion completion) {
    completions_.push_back({&operation, completion, end.handle});
}

}  // namespace sim
