// Manners: how a site's servers are talked to: how much goes at once (docs/decisions/0003) and
// whether by BDAT. A session begins in the best mode that is not believed to fail there (belief.h)
// and tells how it ended. What a reply showed counts at once. A session that was lost, or waited in
// vain for the reply to a group after a final dot, counts only while no other session got one
// within kLately. Owned by the path, one shard; pure.
#pragma once

#include <optional>
#include <string_view>

#include "relay/delivery/belief.h"
#include "relay/smtp/client_dialogue.h"

namespace relay {

class Manners {
  public:
    static constexpr core::Duration kLately = std::chrono::minutes{1};

    struct Choice {
        PipelineMode pipelining = PipelineMode::next;
        bool chunking = true;
    };
    struct Ending {
        Choice began;
        Choice ended;
        bool replied = false;       // it was a reply that made it simpler
        bool followed_dot = false;  // a group after a final dot was answered
        bool chunked = false;       // a chunk was accepted
    };
    struct Learned {
        std::string_view what;
        core::Duration hold;
    };

    // insists: a server that loses track after a final dot is believed for its session only.
    Manners(PipelineMode most, bool chunking, bool insists = false)
        : most_{most, chunking}, insists_(insists) {}

    // Of a session that begins; it may be the one that tries again what failed.
    Choice choose(core::Instant now);
    // Something that begins to be believed.
    std::optional<Learned> learn(const Ending& session, core::Instant now);
    // Another configuration: learned modes of pipelining are forgotten.
    void allow(PipelineMode most, bool insists);

  private:
    Choice most_;
    bool insists_;
    Belief no_chunking_;
    Belief no_next_;
    Belief no_pipelining_;
    std::optional<core::Instant> followed_;
};

}  // namespace relay
