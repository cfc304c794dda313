#include "tests/sim/sim_network.h"

#include <algorithm>

#include "tests/sim/sim_backend.h"

namespace sim {

using core::Completion;
using core::Handle;
using core::Instant;
using core::kNoHandle;

namespace {

bool later(const auto& a, const auto& b) {
    return a.when != b.when ? a.when > b.when : a.order > b.order;
}

}  // namespace

// ---- Time and trace

void SimNetwork::at(Instant when, std::move_only_function<void()> action) {
    events_.push_back({std::max(when, clock_.now()), ++event_order_, std::move(action)});
    std::ranges::push_heap(events_, [](const Event& a, const Event& b) { return later(a, b); });
}

Instant SimNetwork::next_event() const {
    return events_.empty() ? core::kNever : events_.front().when;
}

void SimNetwork::run_due() {
    while (!events_.empty() && events_.front().when <= clock_.now()) {
        std::ranges::pop_heap(events_, [](const Event& a, const Event& b) { return later(a, b); });
        const Event event = std::move(events_.back());
        events_.pop_back();
        auto& action = const_cast<Event&>(event).action;
        action();
    }
}

void SimNetwork::trace(std::string_view kind, std::int64_t a, std::int64_t b,
                       std::string_view bytes) {
    const auto mix = [this](std::string_view octets) {
        for (const char octet : octets) {
            trace_ = (trace_ ^ static_cast<unsigned char>(octet)) * 0x100000001b3U;
        }
    };
    const std::int64_t numbers[] = {clock_.now().time_since_epoch().count(), a, b};
    mix(kind);
    mix({reinterpret_cast<const char*>(numbers), sizeof numbers});
    mix(bytes);
}

core::Duration SimNetwork::latency(const LinkPlan& plan) {
    const auto spread = (plan.latency_max - plan.latency_min).count();
    if (spread <= 0) return plan.latency_min;
    return plan.latency_min + core::Duration{prng_.below(static_cast<std::uint64_t>(spread) + 1)};
}

// When octets sent now arrive: in order, after latency and, with a bandwidth, one after the other.
Instant SimNetwork::arrival(End& from, std::size_t octets) {
    const LinkPlan& plan = from.plan;
    Instant when = std::max(from.last_arrival, clock_.now() + latency(plan));
    if (plan.octets_per_second > 0) {
        when += core::Duration{
            static_cast<std::int64_t>(octets * 1'000'000'000U / plan.octets_per_second)};
    }
    from.last_arrival = when;
    return when;
}

// ---- Ends

SimNetwork::End* SimNetwork::find(Handle handle) {
    const auto found = ends_.find(handle);
    return found == ends_.end() ? nullptr : &found->second;
}

SimNetwork::End& SimNetwork::end(Handle handle) {
    End* found = find(handle);
    PH_ASSERT(found != nullptr);
    return *found;
}

Handle SimNetwork::add_end(SimBackend& backend) {
    const Handle handle = ++last_handle_;
    End& created = ends_[handle];
    created.handle = handle;
    created.backend = &backend;
    return handle;
}

std::uint64_t SimNetwork::arrived_at_client(const core::SocketAddress& client) const {
    const auto found = arrivals_.find(client);
    return found == arrivals_.end() ? 0 : found->second;
}

std::size_t SimNetwork::connections_to(const core::SocketAddress& server) const {
    return static_cast<std::size_t>(std::ranges::count_if(ends_, [&server](const auto& entry) {
        const End& one = entry.second;
        const bool client = !one.server_side && !one.listening;
        return client && one.target == server &&
               (one.connected || one.connect.operation != nullptr);
    }));
}

void SimNetwork::finish(End& end, Slot& slot, int result) {
    if (slot.operation == nullptr) return;
    core::Operation& operation = *slot.operation;
    slot = {};
    end.backend->complete(end, operation, Completion{result, false, core::kNoBuffer});
}

SimNetwork::Slot* SimNetwork::slot_of(End& end, const core::Operation& operation) {
    for (Slot* slot : {&end.accept, &end.receive, &end.connect, &end.send, &end.poll}) {
        if (slot->operation == &operation) return slot;
    }
    return nullptr;
}

// A cancelled operation ends some time later, or with what happens to complete before.
void SimNetwork::cancel(Handle handle, core::Operation& operation) {
    Slot* slot = slot_of(end(handle), operation);
    if (slot == nullptr || slot->cancelling) return;
    slot->cancelling = true;
    const auto delay = std::chrono::microseconds{chance(2) ? 0 : prng_.below(2000)};
    at(clock_.now() + delay, [this, handle, wanted = &operation] {
        End* found = find(handle);
        Slot* current = found != nullptr ? slot_of(*found, *wanted) : nullptr;
        if (current != nullptr && current->cancelling) finish(*found, *current, -ECANCELED);
    });
}

void SimNetwork::shutdown(Handle handle) {
    End& here = end(handle);
    trace("shutdown", handle, 0);
    here.shut = true;
    finish(here, here.accept, -EINVAL);
    finish(here, here.connect, -ECONNABORTED);
    finish(here, here.send, -EPIPE);
    if (here.connected && here.error == 0) send_fin(here);
    progress_receive(here);
}

void SimNetwork::half_close(Handle handle) {
    send_fin(end(handle));
}

void SimNetwork::close(Handle handle, bool reset) {
    End& here = end(handle);
    trace("close", handle, reset ? 1 : 0);
    if (here.listening) {
        auto& group = listeners_[here.local];
        std::erase(group, handle);
        if (group.empty()) listeners_.erase(here.local);
        for (const Handle waiting : std::deque<Handle>(here.backlog))
            close(waiting, true);
    } else if (here.connected && here.error == 0) {
        if (reset || !here.readable.empty()) {
            send_reset(here.other, reset ? clock_.now() + latency(here.plan) : arrival(here, 0));
        } else {
            send_fin(here);
        }
    }
    ends_.erase(handle);
}

// ---- Opening

core::IoResult<Handle> SimNetwork::listen(SimBackend& backend, core::SocketAddress address,
                                          core::Sharing sharing) {
    if (sharing == core::Sharing::first && listeners_.contains(address)) {
        return core::io_error(EADDRINUSE);
    }
    if (address.port == 0) address.port = ++last_port_;
    const Handle handle = add_end(backend);
    End& here = end(handle);
    here.listening = true;
    here.local = address;
    listeners_[address].push_back(handle);
    return handle;
}

void SimNetwork::start_connect(Handle handle) {
    End& here = end(handle);
    here.plan = planner_ ? planner_(Opening{here.local, here.target, stats_.openings}) : LinkPlan{};
    ++stats_.openings;
    here.peer = here.target;
    arrivals_[here.local] = 0;
    trace("connect", handle, static_cast<int>(here.plan.connect));
    const core::Duration there = latency(here.plan);
    const auto fail_after = [this, handle](core::Duration delay, int error) {
        at(clock_.now() + delay, [this, handle, error] {
            End* client = find(handle);
            if (client != nullptr) finish(*client, client->connect, error);
        });
    };
    switch (here.plan.connect) {
        case ConnectResult::accept:
            at(clock_.now() + there, [this, handle] { syn_arrives(handle); });
            break;
        case ConnectResult::refuse:
            fail_after(2 * there, -ECONNREFUSED);
            break;
        case ConnectResult::unreachable:
            fail_after(2 * there, -EHOSTUNREACH);
            break;
        case ConnectResult::no_route:  // this machine has no such network
            fail_after(core::Duration{}, -ENETUNREACH);
            break;
        case ConnectResult::black_hole:
            fail_after(kConnectTimeout, -ETIMEDOUT);
            break;
    }
}

void SimNetwork::syn_arrives(Handle client_handle) {
    End* client = find(client_handle);
    if (client == nullptr || client->connect.operation == nullptr) return;  // given up
    auto group = listeners_.find(client->target);
    const core::SocketAddress any{core::IpAddress{}, client->target.port};
    if (group == listeners_.end()) group = listeners_.find(any);
    const core::Duration back = latency(client->plan);
    Handle listener = kNoHandle;
    if (group != listeners_.end()) listener = group->second[prng_.below(group->second.size())];
    if (listener == kNoHandle || end(listener).backlog.size() >= kListenBacklog) {
        at(clock_.now() + back, [this, client_handle] {
            End* refused = find(client_handle);
            if (refused != nullptr) finish(*refused, refused->connect, -ECONNREFUSED);
        });
        return;
    }
    const Handle server_handle = add_end(*end(listener).backend);
    End& server = end(server_handle);
    client = &end(client_handle);
    server.plan = client->plan;
    server.server_side = server.connected = true;
    server.local = client->target;
    server.peer = client->local;
    server.other = client_handle;
    server.last_arrival = clock_.now() + back;  // nothing overtakes the SYN's answer
    client->other = server_handle;
    at(clock_.now() + back, [this, client_handle, server_handle] {
        End* opened = find(client_handle);
        if (opened == nullptr || opened->connect.operation == nullptr) {
            send_reset(server_handle, clock_.now());  // given up meanwhile
            return;
        }
        opened->connected = true;
        finish(*opened, opened->connect, 0);
    });
    end(listener).backlog.push_back(server_handle);
    progress_accept(end(listener));
}

void SimNetwork::progress_accept(End& listener) {
    while (listener.accept.operation != nullptr && !listener.backlog.empty()) {
        const Handle handle = listener.backlog.front();
        listener.backlog.pop_front();
        core::Operation& operation = *listener.accept.operation;
        // A multishot accept may end at any time.
        const bool more = listener.accepting == core::Shots::many && !chance(16);
        if (!more) listener.accept = {};
        listener.backend->complete(listener, operation, Completion{handle, more, core::kNoBuffer});
    }
}

// ---- Data

void SimNetwork::progress_send(Handle handle) {
    End* here = find(handle);
    if (here == nullptr || here->send.operation == nullptr) return;
    if (here->error != 0) return finish(*here, here->send, -here->error);
    if (here->shut || here->fin_sent) return finish(*here, here->send, -EPIPE);
    if (!here->connected) return finish(*here, here->send, -ENOTCONN);
    std::size_t total = 0;
    for (const iovec& part : here->parts)
        total += part.iov_len;
    std::size_t room = here->plan.window - std::min(here->plan.window, here->outstanding);
    if (total > 0 && room == 0) return;  // goes on when the peer has read
    if (here->plan.ragged && room > 1 && chance(3)) room = 1 + prng_.below(room);
    std::string octets;
    for (const iovec& part : here->parts) {
        const std::size_t take = std::min(part.iov_len, room - octets.size());
        octets.append(static_cast<const char*>(part.iov_base), take);
        if (octets.size() == room) break;
    }
    here->outstanding += octets.size();
    const auto sent = static_cast<int>(octets.size());
    for (std::size_t offset = 0; offset < octets.size();) {
        std::size_t length = std::min(here->plan.largest_segment, octets.size() - offset);
        if (here->plan.ragged && length > 1) length = 1 + prng_.below(length);
        at(arrival(*here, length),
           [this, handle, to = here->other, segment = octets.substr(offset, length)]() mutable {
               segment_arrives(handle, to, std::move(segment));
           });
        offset += length;
    }
    finish(*here, here->send, sent);
}

void SimNetwork::segment_arrives(Handle from, Handle to, std::string octets) {
    End* here = find(to);
    if (here != nullptr && here->error != 0) return;
    if (here == nullptr || here->shut) {  // nobody reads any more (RFC 9293 section 3.10.7.4)
        const End* sender = find(from);
        if (sender == nullptr) return;
        send_reset(from, clock_.now() + latency(sender->plan));
        if (here != nullptr) reset_end(*here);
        return;
    }
    const auto& limit = here->server_side ? here->plan.reset_at_server : here->plan.reset_at_client;
    const bool cut = limit && here->arrived + octets.size() >= *limit;
    if (cut) octets.resize(*limit - std::min(*limit, here->arrived));
    here->arrived += octets.size();
    if (!here->server_side) arrivals_[here->local] = here->arrived;
    here->readable += octets;
    stats_.octets += octets.size();
    trace("arrive", to, static_cast<std::int64_t>(octets.size()), octets);
    if (cut) {
        End* other = find(here->other);
        if (other != nullptr) {
            send_reset(here->other,
                       std::max(here->last_arrival, clock_.now() + latency(here->plan)));
        }
        reset_end(*here);
        return;
    }
    progress_receive(*here);
}

void SimNetwork::progress_receive(End& here) {
    while (here.receive.operation != nullptr && !here.readable.empty()) {
        std::size_t length = std::min(here.readable.size(), here.backend->buffer_size());
        if (here.receiving == core::Intake::sip) length = std::min(length, core::kSip);
        if (here.plan.ragged && length > 1 && chance(4)) length = 1 + prng_.below(length);
        const int buffer =
            here.backend->take_buffer(std::string_view(here.readable).substr(0, length));
        core::Operation& operation = *here.receive.operation;
        if (buffer == core::kNoBuffer) {
            ++here.backend->stats_.buffers_exhausted;
            return finish(here, here.receive, -ENOBUFS);
        }
        ++here.backend->stats_.receives;
        here.readable.erase(0, length);
        // A multishot receive may end without a reason.
        const bool more =
            here.receiving == core::Intake::stream && !(here.plan.ragged && chance(8));
        if (!more) here.receive = {};
        here.backend->complete(here, operation, Completion{static_cast<int>(length), more, buffer});
        // The sender learns of the room one latency later.
        at(clock_.now() + latency(here.plan), [this, sender = here.other, length] {
            End* from = find(sender);
            if (from == nullptr) return;
            from->outstanding -= std::min(from->outstanding, length);
            progress_send(sender);
        });
    }
    if (here.receive.operation == nullptr || !here.readable.empty()) return;
    if (here.error != 0) return finish(here, here.receive, -here.error);
    if (here.fin_arrived || here.shut) return finish(here, here.receive, 0);
    if (!here.connected) finish(here, here.receive, -ENOTCONN);
}

void SimNetwork::send_fin(End& from) {
    if (from.fin_sent) return;
    from.fin_sent = true;
    at(arrival(from, 0), [this, to = from.other] {
        End* here = find(to);
        if (here == nullptr || here->error != 0) return;
        trace("fin", to, 0);
        here->fin_arrived = true;
        progress_receive(*here);
    });
}

void SimNetwork::send_reset(Handle to, Instant when) {
    ++stats_.resets;
    at(when, [this, to] {
        End* here = find(to);
        if (here != nullptr && here->error == 0) reset_end(*here);
    });
}

void SimNetwork::reset_end(End& here) {
    trace("reset", here.handle, 0);
    here.error = ECONNRESET;
    finish(here, here.send, -ECONNRESET);
    progress_receive(here);
}

}  // namespace sim
