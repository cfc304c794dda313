// What a client of SMTP is told of the decisions of Intake and the queue, and how refusals of the
// dialogue are counted. Pure.
#pragma once

#include <string_view>

#include "metrics/shard_metrics.h"
#include "relay/intake/acceptance.h"
#include "relay/message/reply.h"
#include "relay/smtp/rejection.h"

namespace relay {

SmtpRefusal words_for(Refusal refusal);
metrics::Rejection counted_as(RejectReason reason);
// "550 5.7.1 Relaying denied", one of our own replies, into its parts.
ReplyView parts_of(std::string_view reply);

}  // namespace relay
