// What a Session shows about its server, for the sessions after it: whether it answers, how many
// messages it takes, what it refuses, whether its TLS works.
#include <algorithm>

#include "core/base/log.h"
#include "relay/delivery/session.h"

namespace relay {

namespace {

std::int64_t minutes_of(core::Duration span) {
    return std::chrono::duration_cast<std::chrono::minutes>(span).count();
}

}  // namespace

// TLS that is wanted but not demanded did not work: a new connection in clear text (never the same
// one) at once, and for this host for some minutes. A connection that is lost is no evidence while
// TLS worked in other sessions.
void Session::note_broken_tls(TlsMemory::Fault fault) {
    if (!approach_.may_go_clear || aborted_) return;
    TlsMemory& memory = context_.tls.memory();
    const core::Instant now = context_.shard.now();
    const core::Duration hold = memory.note_broken(endpoint_, fault, now);
    if (fault != TlsMemory::Fault::fruitless && memory.is_avoided(endpoint_, now)) {
        again_ = Again::in_clear_text;
    }
    if (hold == core::Duration{}) return;
    core::log_warning(
        "{} [{}]: no TLS ({}): clear text for {} min, then one session tries TLS again",
        approach_.target.host, peer_address_, core::escaped(dialogue_.ending().reply.text),
        minutes_of(hold));
}

// Some receivers end a session after so many messages without a word. It costs no mail, but a round
// trip each time, and it is no news once it is known.
void Session::note_silent_close() {
    if (!dialogue_.between_messages()) return;
    const core::Instant now = context_.shard.now();
    if (now - last_message_ > kAtOnce) return;  // it minds idling
    const std::size_t messages = dialogue_.completed();
    SessionCap& cap = context_.hosts.habits(learned_endpoint_).cap;
    if (source_.carries_more(endpoint_, messages)) return void(cap.carried(messages + 1));
    if (!cap.closed_silently(messages, established_at_, now)) return;
    core::log_info(
        "{} [{}] ends sessions after {} messages without a word: so many a session for {} "
        "min, then one session tries more",
        approach_.target.host, peer_address_, messages, minutes_of(SessionCap::kHold));
}

// The host took a message; how many there are is of interest when the session is over.
void Session::note_success() {
    const core::Instant now = context_.shard.now();
    if (answered_ && now - *answered_ < kTellEvery) return;
    answered_ = now;
    context_.hosts.answers(learned_peer_, now);
    if (dialogue_.followed_dot()) learn_from(true);
    const bool encrypted = encryption_ == Encryption::on && approach_.target.demand.may_go_clear();
    if (encrypted && context_.tls.memory().note_works(endpoint_, now)) {
        core::log_info("{} [{}]: TLS works again", approach_.target.host, peer_address_);
    }
}

// How the session was served; later ones begin so. replied: the server said what changed it.
void Session::learn_from(bool replied) {
    const core::Instant now = context_.shard.now();
    if (const std::size_t completed = dialogue_.completed(); is_over() && completed > 0) {
        context_.hosts.answers(learned_peer_, now);
        HostMemory::Habits* known = context_.hosts.known_habits(learned_endpoint_);
        if (known != nullptr && !dialogue_.sparing_parameters()) {
            known->refuses_parameters.lift(now);
        }
        if (known != nullptr && approach_.hello != Approach::Hello::helo) {
            known->helo_only.lift(now);
        }
        if (known != nullptr && known->cap.carried(completed)) {
            core::log_info("{} [{}] took {} messages in a session: their number is not limited",
                           approach_.target.host, peer_address_, completed);
        }
    }
    const Manners::Choice ended{dialogue_.mode(), dialogue_.chunking()};
    const auto learned = source_.manners().learn(
        {began_, ended, replied, dialogue_.followed_dot(), dialogue_.chunked()}, now);
    began_ = ended;
    if (!learned) return;
    core::log_info("{} [{}] does not take {}: without for {} min, then one session tries it again",
                   approach_.target.host, peer_address_, learned->what, minutes_of(learned->hold));
}

void Session::note_refused_parameters() {
    if (spares_parameters_ || !dialogue_.sparing_parameters()) return;
    spares_parameters_ = true;
    Belief& belief = context_.hosts.habits(learned_endpoint_).refuses_parameters;
    const core::Duration hold = belief.learn(context_.shard.now());
    if (hold == core::Duration{}) return;
    core::log_info(
        "{} [{}] refuses parameters that it offers: without them for {} min, then one "
        "session tries them again",
        approach_.target.host, peer_address_, minutes_of(hold));
}

}  // namespace relay
