#include "relay/message/message.h"

#include <array>
#include <utility>

#include "core/base/assert.h"

namespace relay {

std::string_view to_string(RecipientState state) {
    constexpr std::array<std::string_view, 6> kNames = {"receiving", "committed", "scheduled",
                                                        "ready",     "in_flight", "final"};
    return kNames[static_cast<std::size_t>(state)];
}

bool may_follow(RecipientState from, RecipientState to) {
    using enum RecipientState;
    switch (from) {
        case receiving:  // refused or dropped before the commit: destroyed in this state
            return to == committed;
        case committed:  // due at once, due later, or over before the first attempt
            return to == scheduled || to == ready || to == final;
        case scheduled:  // due, or ended while waiting: expired, no route, removed by a person
            return to == ready || to == final;
        case ready:  // sent, or sent home untouched, or ended while waiting
            return to == in_flight || to == scheduled || to == final;
        case in_flight:  // answered, deferred, or prefetched and returned untouched
            return to == final || to == scheduled || to == ready;
        case final:
            return false;
    }
    return false;
}

std::string_view Recipient::domain() const {
    const std::string_view text = address;
    const auto at = text.rfind('@');
    return at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
}

void Recipient::move_to(RecipientState next) {
    PH_ASSERT(may_follow(state, next));
    state = next;
}

const Disposition& Recipient::disposition() const {
    static const Disposition kNone;
    return disposition_ == nullptr ? kNone : *disposition_;
}

void Recipient::set_disposition(Disposition disposition) {
    if (disposition_ == nullptr) {
        disposition_ = std::make_unique<Disposition>(std::move(disposition));
    } else {
        *disposition_ = std::move(disposition);
    }
}

void Recipient::change_outcome(Outcome outcome) {
    PH_ASSERT(disposition_ != nullptr);
    disposition_->outcome = outcome;
}

void Recipient::set_original(std::string original) {
    original_ = original.empty() ? nullptr : std::make_unique<std::string>(std::move(original));
}

const DsnEnvelope& Message::dsn() const {
    static const DsnEnvelope kNone;
    return extras_ == nullptr ? kNone : extras_->dsn;
}

void Message::set_dsn(DsnEnvelope dsn) {
    if (extras_ == nullptr && dsn == DsnEnvelope{}) return;
    if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
    extras_->dsn = std::move(dsn);
}

const DeliverBy& Message::deliver_by() const {
    static const DeliverBy kNone;
    return extras_ == nullptr ? kNone : extras_->by;
}

void Message::set_deliver_by(DeliverBy by) {
    if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
    extras_->by = by;
}

core::WallTime Message::expires() const {
    return extras_ == nullptr ? core::WallTime{} : extras_->expires;
}

void Message::set_expires(core::WallTime when) {
    if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
    extras_->expires = when;
}

const Injection& Message::injection() const {
    static const Injection kNone;
    return injection_ == nullptr ? kNone : *injection_;
}

Injection& Message::edit_injection() {
    if (injection_ == nullptr) injection_ = std::make_unique<Injection>();
    return *injection_;
}

const Labels& Message::labels() const {
    static const Labels kNone;
    return extras_ == nullptr ? kNone : extras_->labels;
}

Labels& Message::edit_labels() {
    if (extras_ == nullptr) extras_ = std::make_unique<Extras>();
    return extras_->labels;
}

void Message::take_extras_of(const Message& other) {
    injection_ =
        other.injection_ == nullptr ? nullptr : std::make_unique<Injection>(*other.injection_);
    extras_ = other.extras_ == nullptr ? nullptr : std::make_unique<Extras>(*other.extras_);
}

}  // namespace relay
