#include "relay/delivery/manners.h"

namespace relay {

Manners::Choice Manners::choose(core::Instant now) {
    Choice choice = most_;
    if (choice.chunking) choice.chunking = !no_chunking_.ask(now);
    if (choice.pipelining == PipelineMode::next && no_next_.ask(now)) {
        choice.pipelining = PipelineMode::message;
    }
    if (choice.pipelining != PipelineMode::lock_step && no_pipelining_.ask(now)) {
        choice.pipelining = PipelineMode::lock_step;
    }
    return choice;
}

std::optional<Manners::Learned> Manners::learn(const Ending& session, core::Instant now) {
    const auto learned = [&](Belief& belief, std::string_view what) -> std::optional<Learned> {
        const core::Duration hold = belief.learn(now);
        if (hold == core::Duration{}) return std::nullopt;
        return Learned{what, hold};
    };
    if (session.chunked) no_chunking_.lift(now);
    if (session.followed_dot) {
        no_next_.lift(now);
        no_pipelining_.lift(now);
        followed_ = now;
    }
    if (session.began.chunking && !session.ended.chunking) {
        return learned(no_chunking_, "BDAT");
    }
    if (session.ended.pipelining == session.began.pipelining) return std::nullopt;
    if (insists_ && session.ended.pipelining == PipelineMode::message) return std::nullopt;
    const bool others_follow = followed_ && now - *followed_ <= kLately;
    if (!session.replied && others_follow) return std::nullopt;
    if (session.ended.pipelining == PipelineMode::lock_step) {
        return learned(no_pipelining_, "groups of commands");
    }
    return learned(no_next_, "the next envelope after a final dot");
}

void Manners::allow(PipelineMode most, bool insists) {
    most_.pipelining = most;
    insists_ = insists;
    no_next_ = no_pipelining_ = {};
}

}  // namespace relay
